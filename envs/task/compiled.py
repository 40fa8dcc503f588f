"""Compile the interpreted source with numba: one source, two executors.

Owns how the kernel's functions become machine code. Each function is cloned with
globals in which its callees are the compiled ones (``linking``); nothing is rewritten. Its
annotations fix its argument types, so that each is compiled once. Compiled code is
kept on disk in a folder named by a hash of all those sources, since numba does not
notice a change in a callee of another file.

This module imports numba, so it is itself imported late.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import njit
from numba.core import cgutils as _cgutils
from numba.core.codegen import CPUCodeLibrary as _CPUCodeLibrary
from numba.core.config import _OptLevel
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from stratagym.envs.task.code_cache import cache_folder, source_hash, variant, writable
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.linking import callees_first, functions_of, with_globals

# Numba's own annotations are partial.
nb: Any = numba.types
cgutils: Any = _cgutils
OptLevel: Any = _OptLevel
CodeLibrary: Any = _CPUCodeLibrary


@intrinsic
def _count_trailing_zeros(typingctx: Any, word: Any) -> Any:
    """Return the index of the lowest set bit of a word that is not 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero_is_undefined = ir.Constant(ir.IntType(1), 1)
        return builder.cttz(args[0], zero_is_undefined)

    return nb.int64(nb.uint64), codegen


@intrinsic
def _word(typingctx: Any, number: Any) -> Any:
    """Return an integer as a word."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.cast(builder, args[0], signature.args[0], nb.uint64)

    return nb.uint64(number), codegen


@intrinsic
def _row(typingctx: Any, rows: Any, k: Any) -> Any:
    """Return a pointer to row ``k`` of a contiguous array of two axes.

    A pointer is one word where an array is seven, and the rules pass six rows from
    function to function.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        index = context.cast(builder, args[1], signature.args[1], nb.intp)
        width = builder.extract_value(array.shape, 1)
        return builder.gep(array.data, [builder.mul(index, width)])

    return nb.CPointer(rows.dtype)(rows, k), codegen


@intrinsic
def _expand(typingctx: Any, word: Any, out: Any, base: Any, count: Any) -> Any:
    """Write the lowest bits of a word as bytes 0 and 1, by one masked store."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        i8, i32, i64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
        bits, bytes64 = ir.VectorType(ir.IntType(1), 64), ir.VectorType(i8, 64)
        word, out, base, count = (
            args[0],
            args[1],
            *(context.cast(builder, args[k], signature.args[k], nb.int64) for k in (2, 3)),
        )
        shift = builder.sub(ir.Constant(i64, 64), count)
        mask = builder.bitcast(builder.lshr(ir.Constant(i64, -1), shift), bits)
        place = builder.bitcast(builder.gep(out, [base]), bytes64.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [bytes64, bytes64.as_pointer(), i32, bits])
        store = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.store.v64i8.p0")
        value = builder.zext(builder.bitcast(word, bits), bytes64)
        builder.call(store, [value, place, ir.Constant(i32, 1), mask])
        return context.get_dummy_value()

    return nb.void(nb.uint64, out, nb.int64, nb.int64), codegen


@intrinsic
def _pack_cells(typingctx: Any, m: Any, q: Any, shift: Any, out: Any, base: Any, count: Any) -> Any:
    """Write one byte of each of at most 7 integers of a lane (``grid_kernel``), by one masked store."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        i8, i32, i64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
        ints8, bytes8, bits8 = (ir.VectorType(kind, 8) for kind in (i32, i8, ir.IntType(1)))
        lane = builder.extract_value(args[0], Memory._fields.index("s"))
        q, shift, base, count = (
            context.cast(builder, args[k], signature.args[k], nb.int64) for k in (1, 2, 4, 5)
        )
        load = builder.load(builder.bitcast(builder.gep(lane, [q]), ints8.as_pointer()), align=4)
        amounts = ir.Constant(ints8, ir.Undefined)
        for k in range(8):
            amounts = builder.insert_element(amounts, builder.trunc(shift, i32), ir.Constant(i32, k))
        marks = builder.icmp_signed("==", shift, ir.Constant(i64, 16))
        kept = builder.select(marks, ir.Constant(bytes8, [3] * 8), ir.Constant(bytes8, [255] * 8))
        value = builder.and_(builder.trunc(builder.lshr(load, amounts), bytes8), kept)
        left = builder.trunc(builder.sub(ir.Constant(i64, 8), count), i8)
        mask = builder.bitcast(builder.lshr(ir.Constant(i8, -1), left), bits8)
        place = builder.bitcast(builder.gep(args[3], [base]), bytes8.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [bytes8, bytes8.as_pointer(), i32, bits8])
        store = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.store.v8i8.p0")
        builder.call(store, [value, place, ir.Constant(i32, 1), mask])
        return context.get_dummy_value()

    return nb.void(m, nb.int64, nb.int64, out, nb.int64, nb.int64), codegen


REPLACED: dict[str, Callable[..., Any]] = {
    "lowest": _count_trailing_zeros,
    "u64": _word,
    "row_of": _row,
}
"""Functions for which the processor has an instruction, or numba needs to know a type."""
if get_host_cpu_features().get("avx512bw"):
    # Elsewhere a masked store of bytes is slower than the loop.
    REPLACED["expand"] = _expand
    REPLACED["pack_cells"] = _pack_cells


@njit
def _one(m: Any) -> int:
    return 1


@njit
def _zero(i: int) -> int:
    return 0


NARROW: dict[str, Callable[..., Any]] = {"words_of": _one, "word_of": _zero}
"""What the variant for up to 64 subtasks and gates takes as given."""

INLINED = frozenset(
    {
        "able",
        "after",
        "hands",
        "lag_anchor",
        "bring",
        "stock_reason",
        "hopeless_endings",
        "judge",
        "plan_next",
        "among",
        "note",
        "attend",
        "below",
        "can_start",
        "drop",
        "drop_bit",
        "emit",
        "feature_row",
        "finish",
        "group_done",
        "has",
        "has_bit",
        "holds",
        "idle",
        "put",
        "put_bit",
        "reward_of",
        "run_to_decision",
        "satisfied",
        "serve",
        "set_done",
        "shortest",
        "standing",
        "step_lane",
        "succeeds",
        "write_lane",
        "lane_memory",
        "expand",
        "ends_next",
        "accepts",
        "dfa",
        "risky",
        "meets",
        "write_mask",
        "write_state",
        "write_subtasks",
        "play_step",
        "aim_of",
        "body_of",
        "cell_of",
        "do",
        "fits_hand",
        "fits_thing",
        "fixture_in",
        "flags_of_fixture",
        "flags_of_thing",
        "head",
        "matches",
        "part",
        "pass_tick",
        "ready",
        "rule_at",
        "rule_list",
        "startable",
        "step_of",
        "thing_in",
        "walk",
        "world_act",
        "world_apply",
        "world_move",
        "world_ready",
        "write_body",
        "write_window",
    }
)
"""Functions of the hot path that are small, or called in one place only: they must not cost a call."""

REACH = 25
"""Functions that reach at least so many others are not optimised by themselves."""

INTS, WORDS = nb.CPointer(nb.int32), nb.CPointer(nb.uint64)
TYPES: dict[str, Any] = {
    "int": nb.int64,
    "bool": nb.boolean,
    "float": nb.float64,
    "Word": nb.uint64,
    "Ints": nb.Array(nb.int32, 1, "C"),
    "Words": WORDS,
    "Memory": nb.NamedTuple([INTS, WORDS, INTS, WORDS, INTS, WORDS], Memory),
    "Bytes": nb.CPointer(nb.uint8),
    "Flags": nb.CPointer(nb.int8),
    "Floats": nb.Array(nb.float64, 1, "C"),
    "IntRows": nb.Array(nb.int32, 2, "C"),
    "WordRows": nb.Array(nb.uint64, 2, "C"),
    "ByteRows": nb.Array(nb.uint8, 2, "C"),
    "FlagRows": nb.Array(nb.int8, 2, "C"),
    "FloatRows": nb.Array(nb.float64, 2, "C"),
}
"""What an annotation means to numba."""


@cache
def compile_modules(
    modules: tuple[types.ModuleType, ...], entries: tuple[str, ...], narrow: bool
) -> Mapping[str, Any]:
    """Compile the entry points and everything that they call.

    Args:
        modules: in any order; their functions may call each other by name, and so no two may
            bear one name.
        entries: the functions to return; their machine code is kept on disk.
        narrow: whether no task has more than 64 subtasks or gates.

    Returns:
        The compiled entry points by name.
    """
    functions = functions_of(modules)
    words = {
        name: np.uint64(getattr(module, name)) for module in modules for name in getattr(module, "WORDS", ())
    }
    folder = cache_folder() / source_hash(modules) / variant(narrow)
    made: dict[str, Any] = REPLACED | (NARROW if narrow else {})
    given = tuple(made)
    clones: dict[str, types.FunctionType] = {}
    kept = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    try:
        for name in callees_first(functions, entries, given):
            clones[name] = with_globals(functions[name], made | words)
            made[name] = njit(**_options(name, entries, folder))(clones[name])
    finally:
        numba.config.CACHE_DIR = kept  # type: ignore[attr-defined]
    for name in entries:
        _compile(made, functions, name, given)
    return {name: made[name] for name in entries}


def _options(name: str, entries: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Return numba's options for one function."""
    # Nothing here allocates, so counting references would only cost time.
    options: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy", "_nrt": False}
    if name in entries:
        options["cache"] = writable(folder)
    else:
        options["no_cpython_wrapper"] = True
        options["no_cfunc_wrapper"] = True
        options["forceinline"] = name in INLINED
    return options


def _compile(
    made: Mapping[str, Any],
    functions: Mapping[str, types.FunctionType],
    entry: str,
    given: tuple[str, ...],
) -> None:
    """Compile one entry point for the types of its annotations, or take it from the disk."""
    inner = [name for name in callees_first(functions, (entry,), given) if name != entry]
    signature = _signature(functions[entry])
    dispatcher = made[entry]
    if dispatcher._cache.load_overload(signature, dispatcher.targetctx) is None:
        for name in inner:
            if not made[name].overloads:
                with _inner_code(len(callees_first(functions, (name,), given))):
                    made[name].compile(_signature(functions[name]))
                made[name].disable_compile()
    dispatcher.compile(signature)
    dispatcher.disable_compile()


def _leave_as_it_is(library: Any) -> None:
    """Take a library as ready to be linked, without machine code."""
    library._finalized = True


@contextmanager
def _inner_code(reach: int) -> Iterator[None]:
    """Have a function compiled as a part of others only.

    For it alone no machine code is made. What it becomes part of is optimised as a whole, so
    that a function which contains most of the others need not be optimised before.
    """
    context: Any = cpu_target.target_context
    names = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE")
    kept = [getattr(numba.config, name) for name in names]
    light = (OptLevel(0) if reach >= REACH else kept[0], False, False)
    # Numba knows a function by its executable: any builtin will do, if each has another.
    context.get_executable = lambda library, description, environment: [].append
    make_code = CodeLibrary._finalize_final_module
    CodeLibrary._finalize_final_module = _leave_as_it_is
    try:
        for name, value in zip(names, light, strict=True):
            setattr(numba.config, name, value)
        yield
    finally:
        del context.get_executable
        CodeLibrary._finalize_final_module = make_code
        for name, value in zip(names, kept, strict=True):
            setattr(numba.config, name, value)


def _signature(function: types.FunctionType) -> tuple[Any, ...]:
    """Return the argument types that a function's annotations name."""
    code = function.__code__
    return tuple(TYPES[function.__annotations__[name]] for name in code.co_varnames[: code.co_argcount])
