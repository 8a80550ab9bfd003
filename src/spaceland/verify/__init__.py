"""Derives the answers of a dataset anew, with solvers that share nothing with the generator but geometry and scenes.

    rows.py      what a row must look like before anything in it is believed
    text.py      reading questions and sentences: marks by colour, numbers, boxes, motions, relation words
    solvers.py   the definitions of the eight tasks, worked out from scene poses and boxes
    evidence.py  what depth, ids or a ray say about a marked place
    answers.py   each task's written answer against the derived one
    marks.py     each mark against the picture
    verify.py    the loop over a dataset folder and the report

Nothing here imports `questions`, `visibility` or `datasets`.
"""

from spaceland.verify.verify import VerifyReport as VerifyReport
from spaceland.verify.verify import verify_dataset as verify_dataset
