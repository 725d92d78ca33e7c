"""Arrays, tensors and simulations share the memory that they shared, in its order."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import torch
from tests.support.taken_apart import there_and_back

from trackway.checkpoint.capture import Capture
from trackway.checkpoint.rebuild import Rebuild


def test_a_field_of_records_is_a_view_of_them() -> None:
    rows = np.zeros(3, [("pos", "f4", (2,)), ("hit", "?")])
    found, field, part = there_and_back([rows, rows["pos"], rows[1:]], None)
    field[1] = 2.0

    assert found["pos"].tolist() == [[0, 0], [2, 2], [0, 0]]
    assert part["pos"][0].tolist() == [2, 2]


def test_tensors_and_arrays_share_the_memory_that_they_shared() -> None:
    whole, rows, halves = torch.zeros(2, 3), np.zeros(4, np.float32), torch.zeros(2).half()
    shared = [
        *(whole[1], whole, whole.t(), whole.detach(), whole.numpy(), whole.numpy()[:, 1]),
        *(rows, torch.from_numpy(rows), torch.from_numpy(rows[1:])[1:], whole.view(torch.int32)),
        *(halves, halves[1:], torch.zeros(3)),
    ]
    found = there_and_back(shared, None)

    def written(things: list[Any]) -> list[Any]:
        for i, thing in enumerate(things):
            thing[-1:] = i + 1
        return [thing.tolist() for thing in things]

    assert written(found) == written(shared)
    assert [type(x) for x in found] == [type(x) for x in shared]


def test_what_torch_made_and_nobody_may_write_into_is_a_part_that_nobody_may_write_into() -> None:
    whole = torch.zeros(3)
    seen = whole.numpy()
    seen.flags.writeable = False
    found, found_seen = there_and_back([whole, seen], None)
    found[1] = 5.0

    assert found_seen.tolist() == [0.0, 5.0, 0.0]
    assert not found_seen.flags.writeable


def test_a_part_of_what_is_outside_is_one_and_what_cannot_be_told_is_named() -> None:
    weight = torch.nn.Parameter(torch.ones(2, 3))
    optimizer = torch.optim.Adam([weight])
    (weight.sum() ** 2).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    moments = optimizer.state[weight]["exp_avg"]
    parts = {"data": weight.data, "row": weight.detach().numpy()[1]}
    halves = {"one": torch.zeros(4)[:2]}
    halves["other"] = halves["one"][1:]
    # Networks that are laid out in one piece: no weight has the whole of it.
    first, second = map(torch.nn.Parameter, torch.zeros(4).chunk(2))
    outside = {"w": weight, "o": optimizer, "first": first, "second": second}
    taker = Capture(outside)
    taker.add("it", parts)
    taker.add("others", {**halves, "moments": moments})
    taker.add("flat", {"first": first.data})
    graph = taker.finish()
    made = Rebuild(graph.document(), graph.arrays, outside).root("it")
    made["data"][1] = 7.0

    assert weight[1].tolist() == made["row"].tolist() == [7.0] * 3
    assert graph.unsupported == [
        f"{name} shares its memory with something else"
        for name in ("others['other']", "others['moments']", "flat['first']")
    ]


def test_memory_is_gone_through_in_the_order_in_which_it_was() -> None:
    rows = np.arange(24.0).reshape(2, 3, 4)
    turned = [
        np.asfortranarray(rows),
        rows.transpose(1, 0, 2).copy("K"),
        np.array([["a", "b"], ["c", "d"]], order="F"),
    ]
    images = torch.ones(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    found, found_images = there_and_back([turned, images], None)

    assert [x.strides for x in found] == [x.strides for x in turned]
    assert [x.tolist() for x in found] == [x.tolist() for x in turned]
    assert found_images.stride() == images.stride()


def test_whichever_of_several_models_is_the_current_one_each_comes_back_as_it_was() -> None:
    def program(current: int) -> dict[str, Any]:
        text = "<mujoco><worldbody><body><geom size='1'/><freejoint/></body></worldbody></mujoco>"
        models = [mujoco.MjModel.from_xml_string(text) for _ in range(3)]
        states = [mujoco.MjData(model) for model in models]
        return {"m": models[current], "d": states[current], "models": models, "states": states}

    one = program(2)
    for i, (model, data) in enumerate(zip(one["models"], one["states"], strict=True)):
        model.body_mass[1], data.qpos[0] = 1 + i, 5 + i
    found = there_and_back(one, program(0))

    assert [model.body_mass[1] for model in found["models"]] == [1, 2, 3]
    assert [data.qpos[0] for data in found["states"]] == [5, 6, 7]
    assert found["m"] is found["models"][2]
    assert found["d"] is found["states"][2]


def test_a_view_of_words_is_one() -> None:
    board = np.array([list("SF"), list("HG")], "S")
    found, row = there_and_back([board, board[1]], None)
    row[0] = b"F"

    assert found.tolist() == [[b"S", b"F"], [b"F", b"G"]]
