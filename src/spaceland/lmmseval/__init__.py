"""The six 3D benchmarks that lmms-eval lacks, and our models, inside lmms-eval (0.7 and later).

    python -m spaceland.lmmseval prepare scanqa --rows ScanQA_v1.0_val.json --media frames
    python -m lmms_eval --model spaceland --model_args model=local:Qwen/Qwen2.5-VL-3B-Instruct \\
        --tasks scanqa_spaceland --include_path "$(python -m spaceland.lmmseval path)" --log_samples --output_path logs

`tasks/` is the folder for `--include_path`: a YAML file for each benchmark. Prompts, frames and scores are ours
(`task`), from rows that `prepare` has looked through once (`prepared`), so figures are those of `spaceland score`. Our
chat models are the lmms-eval models `spaceland` and `spaceland_replay` (`model`), found through the entry point group
`lmms_eval.models` (`entry`). Only `model` and `entry` import lmms-eval; nothing here is imported by the rest.
"""
