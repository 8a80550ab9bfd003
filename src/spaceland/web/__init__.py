"""A local web page: from a video or a scene to marked views, a 3D view and answers."""

from spaceland.web.desk import Desk as Desk
from spaceland.web.server import WebServer as WebServer
