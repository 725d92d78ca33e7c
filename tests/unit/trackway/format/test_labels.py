from trackway.format.labels import labels
from trackway.format.schema import Field


def test_components_are_named_as_their_description_lists_them():
    assert labels(Field("f", shape=(2,), description="force of the floor on FR, FL")) == [
        "FR",
        "FL",
    ]
    assert labels(Field("f", shape=(2,), description="forces of: knee one, hip (left)")) == [
        "knee one",
        "hip",
    ]
    assert labels(Field("f", shape=(3,), description="nothing is told")) == []
    assert labels(Field("f", shape=(1,), description="nothing is told")) == []
    assert labels(Field("f", shape=(1,), description="torque of: the knee")) == ["the knee"]


def test_of_joints_behind_a_free_body_the_last_are_named():
    joints = "trunk (x y z, quaternion w x y z), then FR_hip, FR_thigh"
    assert labels(Field("qpos", shape=(9,), description=joints)) == ["FR_hip", "FR_thigh"]
