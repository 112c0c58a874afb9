"""Qwen's tokenizer, one token a byte, with the words its chat template puts around a prompt."""

from typing import Any, Final

from transformers import Qwen2Tokenizer

_WORDS: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
# What Qwen3's template makes of one message of a user.
_TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


def tokenizer() -> Any:
    from tokenizers.pre_tokenizers import ByteLevel

    words = [*_WORDS, *sorted(ByteLevel.alphabet())]
    made = Qwen2Tokenizer(vocab={word: place for place, word in enumerate(words)}, merges=[])
    made.add_special_tokens({"additional_special_tokens": list(_WORDS[1:3])})
    made.chat_template = _TEMPLATE
    return made


# The tokenizer's, and some to spare.
VOCABULARY: Final = 272
TEXT: Final = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
}
