"""The parser's kernel: Earley's chart over the arrays of `tables`, and the derivation read off it.

Set j of the chart holds items (state, origin): a rule begun at the origin whose dot has come to place j. Departures
from the textbook, each for speed or for exactness:

- An origin is a record (place, nonterminal), made where the nonterminal is predicted, with the list of the items that
  wait for it: what a finished rule advances is found without search.
- An item enters only if it is of use before the next character (`Tables.useful`), and of a nonterminal only the rules
  that can begin with it are predicted. Most right recursion then leaves no chain of finished rules behind.
- Nonterminals that can be empty are passed over where they are met, and what spans nothing is never completed:
  Aycock & Horspool 2002, "Practical Earley parsing". So a finished rule advances only items of earlier, complete sets.
- An item keeps the first pair (item before, finished rule passed) that made it and whether there was a second; so does
  the first finished rule of a record in a set. Each points at older items only, so reading back ends in any grammar.

Source: Earley 1970, "An efficient context-free parsing algorithm".
"""

import inspect
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from freerun.grammars.tables import FINAL, PARSED, TOO_LARGE

# Columns of an item. LEFT: the item before the dot moved; CHILD: the finished rule that it moved over, SCANNED for a
# character, -2 - A for an empty A; NEXT: the next item that waits for the same record; AMBIGUOUS: made in two ways.
STATE, RECORD, LEFT, CHILD, NEXT, AMBIGUOUS = range(6)
# Columns of a record. FIRST, LAST: the items that wait for it; DONE: the last item that finished it.
PLACE, FIRST, LAST, COUNT, DONE = range(5)
NONE = SCANNED = -1
N_ITEMS, N_SLOTS = 1 << 10, 1 << 9  # to begin with


def _compiled(function: Callable) -> Any:
    """Machine code, kept beside the source. Unwrapped first, as the tests' shape check wraps what it sees."""
    return numba.njit(nogil=True, cache=True)(inspect.unwrap(function))


@_compiled
def _grown(rows, n_used, n_needed):
    larger = np.empty((max(2 * len(rows), n_needed), rows.shape[1]), np.int32)
    larger[:n_used] = rows[:n_used]
    return larger


@_compiled
def _slot(slots, items, first, state, record):
    """Where the item stands in the hash table, or would; entries older than this set's `first` item are void."""
    mask = len(slots) - 1
    at = (state * 40503 + record * 30011) & mask
    while slots[at] >= first:
        item = slots[at]
        if items[item, STATE] == state and items[item, RECORD] == record:
            break
        at = (at + 1) & mask
    return at


@_compiled
def _rehashed(items, first, n_items, n_needed):
    n_slots = N_SLOTS
    while n_slots < 2 * n_needed:
        n_slots *= 2
    slots = np.full(2 * n_slots, NONE, np.int32)
    for item in range(first, n_items):
        slots[_slot(slots, items, first, items[item, STATE], items[item, RECORD])] = item
    return slots


@_compiled
def _append(items, n_items, state, record, left, child):
    items[n_items, STATE], items[n_items, RECORD] = state, record
    items[n_items, LEFT], items[n_items, CHILD] = left, child
    items[n_items, NEXT], items[n_items, AMBIGUOUS] = NONE, 0
    return n_items + 1


@_compiled
def _advance(tables, items, n_items, slots, first, class_, left, child):
    """Move the dot of an item over a nonterminal; an item that was there already is ambiguous."""
    state, record = items[left, STATE] + 1, items[left, RECORD]
    if not tables.useful[state, class_]:
        return n_items
    at = _slot(slots, items, first, state, record)
    if slots[at] >= first:
        items[slots[at], AMBIGUOUS] = 1
        return n_items
    slots[at] = n_items
    return _append(items, n_items, state, record, left, child)


@_compiled
def _predict(tables, items, n_items, records, n_records, place, nonterminal, class_):
    records[n_records, PLACE], records[n_records, COUNT] = place, 0
    records[n_records, FIRST], records[n_records, LAST], records[n_records, DONE] = NONE, NONE, NONE
    begin = tables.offsets[nonterminal, class_]
    for at in range(begin, begin + tables.counts[nonterminal, class_]):
        n_items = _append(items, n_items, tables.starts[at], n_records, NONE, NONE)
    return n_items


@_compiled
def _wait(items, records, record, item):
    if records[record, COUNT]:
        items[records[record, LAST], NEXT] = item
    else:
        records[record, FIRST] = item
    records[record, LAST] = item
    records[record, COUNT] += 1


@_compiled
def build(tables, text, items, records, max_items):
    """The chart of one string.

    All in one function: numba counts references to each array that a call passes on, which costs a third of the speed.

    Args:
        tables: Of the grammar.
        text: Classes of the string's characters, and one more: END, or ANY to learn what the last set expects.
        items, records: Memory to use.
        max_items: A string that needs more is given up.

    Returns:
        items, records: The arrays given, or larger ones.
        first, n_items: Those from `first` on are the last set.
        place: Of the last set.
        root: The item that finished the start symbol in the last set, NONE, or TOO_LARGE.
    """
    slots = np.full(N_SLOTS, NONE, np.int32)
    predicted = np.full(len(tables.null), NONE, np.int32)  # newest record of each nonterminal
    first, n_items, n_records = 0, 0, 0
    for place in range(len(text)):
        class_ = text[place]
        before, first, first_record = first, n_items, n_records
        if first > max_items:
            return items, records, before, first, place, np.int64(TOO_LARGE)
        n_needed = 2 * first - before + len(tables.rule)
        if n_needed > len(items):
            items = _grown(items, n_items, n_needed)
        if place == 0:
            n_items = _predict(tables, items, n_items, records, 0, 0, 0, class_)
            predicted[0], n_records = 0, 1
        scanned = place == 0
        for item in range(before, first):
            state = items[item, STATE]
            if tables.symbol[state] < FINAL:  # what stands before a character is in a set only if that is the next one
                scanned = True
                if tables.useful[state + 1, class_]:
                    n_items = _append(items, n_items, state + 1, items[item, RECORD], item, SCANNED)
        if not scanned:
            return items, records, before, first, place - 1, np.int64(NONE)
        at = first
        while at < n_items:
            record = items[at, RECORD]
            symbol = tables.symbol[items[at, STATE]]
            n_needed = n_items + 1
            if symbol >= 0:
                n_needed += tables.counts[symbol, class_]
            elif symbol == FINAL:
                n_needed += records[record, COUNT]
            if n_needed > len(items):
                items = _grown(items, n_items, n_needed)
            if 2 * (n_needed - first) > len(slots):
                slots = _rehashed(items, first, n_items, n_needed - first)
            if symbol == FINAL and records[record, PLACE] < place:
                if records[record, DONE] >= first:  # another rule has finished the same
                    items[records[record, DONE], AMBIGUOUS] = 1
                else:
                    records[record, DONE] = at
                    item = records[record, FIRST]
                    while item != NONE:
                        n_items = _advance(tables, items, n_items, slots, first, class_, item, at)
                        item = items[item, NEXT]
            if symbol >= 0 and tables.counts[symbol, class_]:
                if predicted[symbol] < first_record:
                    if n_records == len(records):
                        records = _grown(records, n_records, n_records)
                    n_items = _predict(tables, items, n_items, records, n_records, place, symbol, class_)
                    predicted[symbol] = n_records
                    n_records += 1
                _wait(items, records, predicted[symbol], at)
            if symbol >= 0 and tables.null[symbol]:
                n_items = _advance(tables, items, n_items, slots, first, class_, at, -2 - symbol)
            at += 1
    root = records[0, DONE] if records[0, DONE] >= first else NONE
    return items, records, first, n_items, len(text) - 1, np.int64(root)


@_compiled
def _read_off(tables, items, root, stack, found, n_found):
    """Append the leftmost derivation, pre-order, to `found`; `root` is an item or -2 - A for an empty A."""
    ambiguous = False
    stack[0], depth = root, 1
    while depth:
        depth -= 1
        node = stack[depth]
        if node < NONE:
            empty = -2 - node
            ambiguous |= tables.null[empty] > 1
            begin, end = tables.null_offsets[empty], tables.null_offsets[empty + 1]
            if n_found + end - begin > len(found):
                found = _grown(found, n_found, n_found + end - begin)
            for at in range(begin, end):
                found[n_found, 0] = tables.null_rules[at]
                n_found += 1
            continue
        if n_found == len(found):
            found = _grown(found, n_found, n_found)
        found[n_found, 0] = tables.rule[items[node, STATE]]
        n_found += 1
        while node != NONE:  # the last symbol is pushed first
            ambiguous |= items[node, AMBIGUOUS] == 1
            if items[node, CHILD] != SCANNED:
                stack[depth] = items[node, CHILD]
                depth += 1
            node = items[node, LEFT]
    return found, n_found, ambiguous


@_compiled
def parse_all(tables, classes, offsets, max_items):
    """Derivations of many strings.

    Args:
        tables: Of the grammar.
        classes: Of all strings, END after each.
        offsets: String i is classes[offsets[i] : offsets[i + 1]], its END included.
        max_items: A string that needs more is given up.

    Returns:
        found: Rule numbers of all derivations.
        ends: Where each derivation ends in them.
        failures: Where each string cannot be read on; PARSED if it can; TOO_LARGE - place if the chart got too large.
        ambiguous: Whether each has a second derivation.
    """
    n = len(offsets) - 1
    items, records = np.empty((N_ITEMS, 6), np.int32), np.empty((N_ITEMS, 5), np.int32)
    stack = np.empty(N_ITEMS, np.int32)
    found, n_found = np.empty((len(classes) + 1, 1), np.int32), 0
    ends, failures, ambiguous = np.zeros(n, np.int64), np.full(n, PARSED, np.int64), np.zeros(n, np.bool_)
    for i in range(n):
        text = classes[offsets[i] : offsets[i + 1]]
        items, records, _, n_items, place, root = build(tables, text, items, records, max_items)
        if root == NONE and len(text) == 1 and tables.null[0]:
            root = np.int64(-2)
            found, n_found, ambiguous[i] = _read_off(tables, items, root, stack, found, n_found)
        elif root >= 0:
            if n_items > len(stack):
                stack = np.empty(2 * n_items, np.int32)
            found, n_found, ambiguous[i] = _read_off(tables, items, root, stack, found, n_found)
        else:
            failures[i] = place if root == NONE else TOO_LARGE - place
        ends[i] = n_found
    return found[:n_found, 0].copy(), ends, failures, ambiguous
