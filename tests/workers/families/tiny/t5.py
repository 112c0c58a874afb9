"""What T5's relatives read: one token a character."""

from transformers import T5Tokenizer


def tokenizer(model_max_length: int) -> T5Tokenizer:
    """Printable ASCII and some Chinese; no special tokens but T5's own."""
    letters = [chr(code) for code in range(33, 127)] + list("红色的猫")
    pieces = ["<pad>", "</s>", "<unk>", "▁", *letters]
    vocab = [(piece, -float(place > 2)) for place, piece in enumerate(pieces)]
    return T5Tokenizer(vocab=vocab, model_max_length=model_max_length, extra_ids=0)
