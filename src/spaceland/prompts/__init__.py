"""Visual prompts: a bird's-eye view and frames with the same object numbers, and the text that explains them."""

from spaceland.prompts.bev import Bev as Bev
from spaceland.prompts.bev import BevConfig as BevConfig
from spaceland.prompts.bev import render_bev as render_bev
from spaceland.prompts.bevmap import BevMap as BevMap
from spaceland.prompts.bevmap import PerspectiveMap as PerspectiveMap
from spaceland.prompts.bevmap import map_from_json as map_from_json
from spaceland.prompts.config import MarkConfig as MarkConfig
from spaceland.prompts.export import MarkedScene as MarkedScene
from spaceland.prompts.export import mark_scene as mark_scene
from spaceland.prompts.grid import stitch as stitch
from spaceland.prompts.marks import DiscMark as DiscMark
from spaceland.prompts.marks import draw_marks as draw_marks
from spaceland.prompts.messages import chat_messages as chat_messages
from spaceland.prompts.messages import explain_pictures as explain_pictures
from spaceland.prompts.placement import PlacementConfig as PlacementConfig
from spaceland.prompts.placement import place_bev_marks as place_bev_marks
from spaceland.prompts.placement import place_marks as place_marks
from spaceland.prompts.selection import label_occurs as label_occurs
from spaceland.prompts.selection import select_objects as select_objects
from spaceland.prompts.styles import STYLES as STYLES
from spaceland.prompts.styles import MarkStyle as MarkStyle
from spaceland.prompts.styles import color_of as color_of
