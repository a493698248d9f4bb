"""The three blocks that are compared. They differ in how the input x gets past the body f: read the three `join`s."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.layers import Activation, BlockFactory
from lightning_modules.networks.shortcuts import require_shortcut


class Block(nn.Module, ABC):
    """y = act(join(x, f(x))).

    x is (B, c_in, H, W) and y is (B, c_out, H/stride, W/stride); or, with a body for vectors, (B, c_in) and (B, c_out).
    The body f ends without an activation; the block's own follows the join, as in He et al. 2015, Fig. 2.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, *, body: BlockFactory, activation: Activation) -> None:
        super().__init__()
        self.body = body(c_in, c_out, stride)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.join(x, self.body(x)))

    @abstractmethod
    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        """What becomes of the input x and the body's output fx; shaped like fx."""


class Plain(Block):
    """y = act(f(x)): nothing gets past the body.   He et al. 2015, the plain networks of Sec. 3.3."""

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return fx


class Residual(Block):
    """y = act(f(x) + s(x)), s the shortcut.   He et al. 2015, eq. 1 (s the identity) and eq. 2 (s a projection)."""

    def __init__(
        self, c_in: int, c_out: int, stride: int, *, body: BlockFactory, shortcut: BlockFactory, activation: Activation
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, activation=activation)
        self.shortcut = shortcut(c_in, c_out, stride)

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return fx + self.shortcut(x)


class Highway(Block):
    """y = act(t · f(x) + c · s(x)), with gates t = T(x) and c = 1 − t (coupled) or c = C(x).

    Srivastava et al. 2015, eq. 3 (coupled) and eq. 2 (a carry gate of its own), where s is the identity. They have the
    activation inside f: y = t · act(f(x)) + c · s(x), which is `activation_inside`. By default it follows the join, so
    that the three blocks differ in nothing but the join.

    A negative `gate_bias` starts the block near its shortcut, with t = sigmoid(gate_bias). A carry gate of its own
    starts with the bias −gate_bias, as open as a coupled one.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        body: BlockFactory,
        shortcut: BlockFactory,
        activation: Activation,
        gate_bias: float = -2.0,
        gate_kernel: int = 1,
        coupled: bool = True,
        activation_inside: bool = False,
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, activation=nn.Identity if activation_inside else activation)
        self.inside = activation() if activation_inside else nn.Identity()
        self.closed = activation_inside  # a ReLU of a body of zeros hands no gradient on
        if gate_kernel != 1 and getattr(self.body, "vectors", False):
            advice = "use block=highway, whose gate_kernel is 1"
            raise ValueError(f"gate_kernel={gate_kernel} needs images, and this body takes vectors: {advice}")
        self.shortcut = shortcut(c_in, c_out, stride)
        self.transform = Gate(c_in, c_out, stride, bias=gate_bias, kernel=gate_kernel)
        if not coupled:
            require_shortcut(self.shortcut, "a gate on the shortcut")
        self.carry = None if coupled else Gate(c_in, c_out, stride, bias=-gate_bias, kernel=gate_kernel)

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        t = self.transform(x)
        c = 1 - t if self.carry is None else self.carry(x)
        return t * self.inside(fx) + c * self.shortcut(x)


class Gate(nn.Module):
    """sigmoid(W x + b): how open the gate is, in (0, 1), one value for each of a body's outputs.

    W starts small, as torch's own layers do, so that a fresh gate is open by about sigmoid(b). W and b are the gate's
    own parameters, not a convolution's, and no init function touches them: a W as large as the body's drowns b. (He's
    W: highway-56 at b = −2 fitted 34% and 17% of the training digits, two seeds; torch's: 93 to 97%, five seeds.)
    """

    def __init__(self, c_in: int, c_out: int, stride: int, *, bias: float, kernel: int = 1) -> None:
        super().__init__()
        if kernel not in (1, 3):
            raise ValueError(f"gate_kernel={kernel} is neither 1 nor 3")
        self.stride = stride
        self.weight = nn.Parameter(nn.init.kaiming_uniform_(torch.empty(c_out, c_in, kernel, kernel), a=sqrt(5)))
        self.bias = nn.Parameter(torch.full((c_out,), float(bias)))

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 2:
            return F.linear(x, self.weight.flatten(1), self.bias).sigmoid()
        return F.conv2d(x, self.weight, self.bias, self.stride, padding=self.weight.shape[-1] // 2).sigmoid()
