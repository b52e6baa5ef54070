"""What may be a name, and what the fixed words of the language are."""

from __future__ import annotations

import keyword
import re

KEYWORDS = ("from", "when", "repeat", "name", "shape", "tie", "freeze", "checkpoint", "shortcut", "merge")
CONTAINERS = ("Sequential", "Residual", "Parallel")
SPEC_KEYS = (
    "netcalc",
    "name",
    "about",
    "imports",
    "args",
    "variants",
    "input",
    "inputs",
    "layers",
    "outputs",
    "blocks",
    "loss",
    "expect",
)
BLOCK_KEYS = ("about", "args", "input", "inputs", "layers", "outputs")
EXPECT_KEYS = ("params", "trainable", "macs", "flops", "output", "at")
DTYPES = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
)  # fmt: skip
DTYPE_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}

YAML_WORDS = frozenset(("yes", "no", "on", "off", "true", "false", "null"))

#: what torch.nn.Module has already (torch 2.13), so that an attribute of that name would break the exported module
MODULE_ATTRIBUTES = frozenset(
    """T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
    extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules mtia
    named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
    state_dict to to_empty train training type xpu zero_grad""".split()  # noqa: SIM905
)
RESERVED = frozenset(("i", "input", "prev", *KEYWORDS))


MAX_NAME = 100  # characters


def starts_small(text: str) -> bool:
    return bool(text) and (text[0].islower() or text[0] == "_")


def is_type(text) -> bool:
    """Whether a text is a word of ASCII letters, digits and _ that starts with a capital letter."""
    return isinstance(text, str) and text.isidentifier() and text.isascii() and text[0].isupper()


def is_name(text) -> bool:
    """The same with a small letter or _ at the start."""
    return isinstance(text, str) and text.isidentifier() and text.isascii() and not text[0].isupper()


def wrong_name(text: str) -> tuple[str, str, str | None] | None:
    """(code, message, help) where a text cannot be the name of a layer, else None."""
    if len(text) > MAX_NAME:
        return "E221", f"a name has at most {MAX_NAME} characters", None
    if text in YAML_WORDS:
        return (
            "E221",
            f"`{text}` cannot be a name: other YAML readers take it for true, false or null",
            f"try `{text}_`",
        )
    if text in RESERVED:
        return "E221", f"`{text}` cannot be a name: it is a word of the language", f"try `{text}_`"
    if not is_name(text):
        fixed = re.sub(r"\W", "_", text)
        fixed = fixed if is_name(fixed) else f"layer_{fixed}" if fixed.strip("_") else "layer"
        return (
            "E221",
            f"`{text}` is not a name: use letters, digits and _",
            f"`{fixed}` would do; a dot is made by a group inside a group",
        )
    if keyword.iskeyword(text) or text in MODULE_ATTRIBUTES:
        return (
            "E222",
            f"`{text}` cannot be the name of a layer: it is a word of Python or of torch.nn.Module",
            f"try `{text}_` or `{text}1`",
        )
    return None


_ELEMENT = re.compile(r"([A-Za-z_]\w*)\[(\d{1,4})\]", re.ASCII)


def element(name: str) -> tuple[str, int | None]:
    """`depths[0]` as (depths, 0): a list and the place in it. (name, None) for any other name."""
    found = _ELEMENT.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)
