# PyTorch as a subject, on the CPU: the native library that a user without a GPU would take. Speaks bench/protocol.ts.
import json
import math
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional

answers = os.fdopen(3, "w", buffering=1)


def normal(*shape, deviation=1.0):
    return torch.randn(*shape) * deviation


def matmul():
    x, w = normal(1024, 256), normal(256, 768)
    return None, lambda: (x @ w, None)[1]


def trained(model, optimizer, loss):
    def step():
        optimizer.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        optimizer.step()
        return value.item()

    return sum(p.numel() for p in model.parameters()), step


class RoundFourBits(torch.autograd.Function):
    """QuEST's rounding of rows to 16 levels: the gradient passes where x lies within half a step of its level."""

    @staticmethod
    def forward(ctx, x):
        step = x.pow(2).mean(-1, keepdim=True).sqrt() * (2.513930578568423 / 7.5) + 1e-8
        level = ((x / step).floor() + 0.5).clamp(-7.5, 7.5) * step
        ctx.save_for_backward((x - level).abs() <= step / 2)
        return level

    @staticmethod
    def backward(ctx, gradient):
        (trusted,) = ctx.saved_tensors
        return gradient * trusted


class FourBitLinear(nn.Linear):
    """Both sides rotated in blocks of 16, and rounded."""

    hadamard = torch.ones(1, 1)
    while hadamard.shape[0] < 16:
        hadamard = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), hadamard)
    hadamard = hadamard / 4

    def rounded(self, x):
        return RoundFourBits.apply((x.unflatten(-1, (-1, 16)) @ self.hadamard).flatten(-2))

    def forward(self, x):
        return functional.linear(self.rounded(x), self.rounded(self.weight), self.bias)


def mlp(linear=nn.Linear):
    model = nn.Sequential(linear(784, 512), nn.ReLU(), linear(512, 512), nn.ReLU(), linear(512, 10))
    x, y = normal(256, 784), torch.randint(0, 10, (256,))
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    return trained(model, adam, lambda: functional.cross_entropy(model(x), y))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.attn_norm, self.qkv, self.out = nn.LayerNorm(dim), nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp_norm, self.up, self.down = nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x, unseen):
        parts = self.qkv(self.attn_norm(x)).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
        weights = scores.masked_fill(unseen, -math.inf).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).flatten(-2))
        return x + self.down(functional.gelu(self.up(self.mlp_norm(x))))


class Gpt(nn.Module):
    def __init__(self, vocab=256, context=128, dim=128, depth=4, heads=4):
        super().__init__()
        self.embed, self.places = nn.Embedding(vocab, dim), nn.Parameter(normal(context, dim, deviation=0.02))
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, vocab, bias=False)
        self.register_buffer("unseen", torch.ones(context, context, dtype=torch.bool).triu(1))

    def forward(self, ids):
        x = self.embed(ids) + self.places
        for block in self.blocks:
            x = block(x, self.unseen)
        return self.head(self.norm(x))


def gpt():
    model = Gpt()
    tokens = torch.randint(0, 256, (8, 129))
    ids, targets = tokens[:, :-1], tokens[:, 1:].flatten()
    adam = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.1)
    return trained(model, adam, lambda: functional.cross_entropy(model(ids).flatten(0, 1), targets))


def main(task):
    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count() or 1)
    parameters, run = {"matmul": matmul, "mlp": mlp, "mlp-qat": lambda: mlp(FourBitLinear), "gpt": gpt}[task]()
    start = time.perf_counter()
    run()
    first_ms = (time.perf_counter() - start) * 1000
    ready = {"kind": "ready", "adapter": "CPU", "firstMs": first_ms}
    if parameters is not None:
        ready["parameters"] = parameters
    print(json.dumps(ready), file=answers)
    for line in sys.stdin:
        length = json.loads(line)
        ms, cpu_ms, loss = [], [], None
        while not ms or (sum(ms) < length["leastMs"] and len(ms) < length["mostRuns"]):
            cpu_before, before = time.process_time(), time.perf_counter()
            loss = run()
            ms.append((time.perf_counter() - before) * 1000)
            cpu_ms.append((time.process_time() - cpu_before) * 1000)
        answer = {"kind": "round", "ms": ms, "cpuMs": cpu_ms}
        if loss is not None:
            answer["loss"] = loss
        print(json.dumps(answer), file=answers)


main(sys.argv[1])
