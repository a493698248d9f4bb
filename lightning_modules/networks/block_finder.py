"""Find the blocks of a network of any class, for what is measured block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from lightning_modules.networks.blocks import Gate

CONTAINERS = (nn.Sequential, nn.ModuleList)


@dataclass(frozen=True)
class FoundBlock:
    """A block: one module, or a weight layer and what follows it up to the next (its norm, its activation).

    Attributes:
        path: of the first module, as `named_modules` has it.
        response: the module whose output is the block's response, in the sense of He et al. 2015, Fig. 7: before the
            addition and the activation. A `body` where there is one, else the weight layer or its norm.
        activations: modules of `torch.nn` in it that are activations; where there are none, its last module.
        gate: the transform gate of a highway block.
    """

    path: str
    modules: tuple[nn.Module, ...]
    response: nn.Module
    activations: tuple[nn.Module, ...]
    gate: Gate | None

    def parameters(self) -> Iterator[nn.Parameter]:
        for module in self.modules:
            yield from module.parameters()


def find_blocks(network: nn.Module) -> list[FoundBlock]:
    """Find the blocks of a network, from the input to the output.

    They are the modules that have a `body`. Where none has one: the members of the network's `stages`, or else of the
    network itself, sequences opened, a member without a weight of its own counted to the one before it.
    """
    bodies = list(_with_body(network, ""))
    if bodies:
        return [_part(path, [module]) for path, module in bodies]
    root, path = network, ""
    if isinstance(getattr(network, "stages", None), CONTAINERS):
        root, path = network.get_submodule("stages"), "stages."
    while len(children := list(root.named_children())) == 1:
        root, path = children[0][1], f"{path}{children[0][0]}."
    groups: list[tuple[str, list[nn.Module]]] = []
    for name, member in _members(root, path):
        if _weights(member):
            groups.append((name, [member]))
        elif groups:
            groups[-1][1].append(member)
    return [_part(name, modules) for name, modules in groups]


def _with_body(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """The outermost modules that have a body."""
    for name, child in module.named_children():
        if isinstance(getattr(child, "body", None), nn.Module):
            yield f"{path}{name}", child
        else:
            yield from _with_body(child, f"{path}{name}.")


def _members(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """The children of a module; a plain sequence of several layers is replaced by its own children."""
    for name, child in module.named_children():
        if type(child) in CONTAINERS and (len(list(child.children())) == 1 or _weights(child) > 1):
            yield from _members(child, f"{path}{name}.")
        else:
            yield f"{path}{name}", child


def _weights(module: nn.Module) -> int:
    """Count the matrices and kernels in a module; the gains and shifts of norms do not count."""
    return sum(parameter.dim() >= 2 for parameter in module.parameters())


def _part(path: str, modules: Sequence[nn.Module]) -> FoundBlock:
    first, gate = modules[0], getattr(modules[0], "transform", None)
    body = getattr(first, "body", None)
    weighted = [module for module in modules if any(True for _ in module.parameters())]
    inside = [module for member in modules for module in member.modules()]
    activations = tuple(module for module in inside if type(module).__module__ == "torch.nn.modules.activation")
    return FoundBlock(
        path=path,
        modules=tuple(modules),
        response=body if isinstance(body, nn.Module) else weighted[-1],
        activations=activations or (modules[-1],),
        gate=gate if isinstance(gate, Gate) else None,
    )
