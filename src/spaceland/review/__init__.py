"""Review by people: a local page that shows samples, a journal of verdicts, and what share was accepted."""

from spaceland.review.server import ReviewServer as ReviewServer
from spaceland.review.verdicts import Acceptance as Acceptance
from spaceland.review.verdicts import Journal as Journal
from spaceland.review.verdicts import acceptance as acceptance
