"""What the YAML files beside this one name with !function; lmms-eval looks for it here."""

from spaceland.lmmseval.task import doc_to_messages, doc_to_target, doc_to_text, doc_to_visual, process_results

__all__ = ["doc_to_messages", "doc_to_target", "doc_to_text", "doc_to_visual", "process_results"]
