"""Visual prompts: a bird's-eye view and frames with the same object numbers, and the text that explains them."""

from spaceland.prompts.bev import Bev as Bev
from spaceland.prompts.bev import BevConfig as BevConfig
from spaceland.prompts.bev import render_bev as render_bev
from spaceland.prompts.bevmap import BevMap as BevMap
from spaceland.prompts.export import MarkConfig as MarkConfig
from spaceland.prompts.export import MarkedScene as MarkedScene
from spaceland.prompts.export import choose_frames as choose_frames
from spaceland.prompts.export import mark_scene as mark_scene
from spaceland.prompts.marks import STYLES as STYLES
from spaceland.prompts.marks import DiscMark as DiscMark
from spaceland.prompts.marks import MarkStyle as MarkStyle
from spaceland.prompts.marks import draw_marks as draw_marks
from spaceland.prompts.messages import chat_messages as chat_messages
from spaceland.prompts.messages import explain_pictures as explain_pictures
from spaceland.prompts.placement import PlacementConfig as PlacementConfig
from spaceland.prompts.placement import place_bev_marks as place_bev_marks
from spaceland.prompts.placement import place_marks as place_marks
