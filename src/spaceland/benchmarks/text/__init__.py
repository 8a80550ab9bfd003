"""Text metrics in Python: words, BLEU, ROUGE-L, CIDEr, F-value; METEOR and SPICE through Java where it is there."""

from spaceland.benchmarks.text.bleu import bleu as bleu
from spaceland.benchmarks.text.bleu import bleu_statistics as bleu_statistics
from spaceland.benchmarks.text.cider import cider as cider
from spaceland.benchmarks.text.corpus import CaptionTable as CaptionTable
from spaceland.benchmarks.text.corpus import caption_table as caption_table
from spaceland.benchmarks.text.ptb import tokenize as tokenize
from spaceland.benchmarks.text.rouge import rouge_l as rouge_l
