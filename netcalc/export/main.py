"""The end of the file: example inputs, the loss, and what running the file does."""

from __future__ import annotations

from ..arith import Formula, symbol
from ..facts import reached
from . import examples, losses, naming
from .code import number, tidy, wrapped


def main_lines(emitter, model) -> list[str]:
    """`python model.py`: builds the model, counts, runs forward once, and with --train one training step."""
    graph = emitter.graph
    return [
        *_inputs(graph),
        "",
        "",
        *_targets(graph),
        *_loss(graph),
        "",
        "",
        *_main(model, graph),
        "",
        "",
        'if __name__ == "__main__":',
        "    main()",
    ]


def _inputs(graph) -> list[str]:
    small: dict[str, str] = {}
    for name in graph.free:
        small[name] = naming.variable(name, {*naming.USED, *small.values()})

    def rename(size) -> str:
        return (
            number(size.at({name: symbol(new) for name, new in small.items()}))
            if isinstance(size, Formula)
            else number(size)
        )

    chosen = examples.sizes(graph)
    parameters = ", ".join(f"{small[name]}={value}" for name, value in chosen.items())
    texts = [tidy(examples.input_source(graph, value, rename)) for value in graph.inputs.values()]
    body = f"return ({texts[0]},)" if len(texts) == 1 else f"return ({', '.join(texts)})"
    return [f"def example_inputs({parameters}):", '    """Random inputs of the right shapes."""', *wrapped(body, 4)]


def _targets(graph) -> list[str]:
    """`example_targets`, where the loss compares with a target, and what is between it and `loss_of`."""
    lines = _indented(losses.targets_source(graph))
    if not lines:
        return []
    return ["def example_targets(output):", '    """Random targets for the loss."""', *lines, "", ""]


def _loss(graph) -> list[str]:
    what = "The loss of an output." if graph.loss else "The mean of what comes out: the spec has no loss."
    if losses.target_names(graph):
        what = "The loss of an output against targets."
    return [
        f"def loss_of({', '.join(['output', *losses.target_names(graph)])}):",
        f'    """{what}"""',
        *_indented(losses.loss_source(graph)),
    ]


def _indented(texts: list[str]) -> list[str]:
    return [line for text in texts for line in wrapped(text, 4)]


_MAIN = """\
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", action="store_true", help="run one training step")
    arguments = parser.parse_args()
    model = {name}()
    print(f"{{sum(p.numel() for p in model.parameters()):,}} parameters")
    if arguments.train:
{step}
    with torch.no_grad():
        output = model.eval()(*example_inputs())
{shown}
"""

_STEP = """\
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
{loss}
        loss.backward()
        optimizer.step()
        print(f"loss {{loss.item():.4f}}")
        return"""
_WITH_TARGETS = """\
        output = model(*example_inputs())
        loss = loss_of(output, *example_targets(output))"""
_WITHOUT_TARGETS = "        loss = loss_of(model(*example_inputs()))"
_NO_STEP = '        parser.error("there is no parameter here that a loss could train")'


def _main(model, graph) -> list[str]:
    if len(graph.outputs) == 1 and not (graph.spec.outputs and graph.spec.outputs[0][0]):
        shown = '    print(f"output {list(output.shape)}")'
    elif graph.spec.outputs and any(name for name, _ in graph.spec.outputs):
        shown = '    for name, tensor in output.items():\n        print(f"{name} {list(tensor.shape)}")'
    else:
        shown = '    for number, tensor in enumerate(output):\n        print(f"output {number} {list(tensor.shape)}")'
    loss = _WITH_TARGETS if losses.target_names(graph) else _WITHOUT_TARGETS
    step = _STEP.format(loss=loss) if reached(graph) != 0 else _NO_STEP
    return _MAIN.format(name=model.name, step=step, shown=shown).rstrip("\n").split("\n")
