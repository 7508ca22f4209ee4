"""Names for parts, and dictionaries that become objects; what config files may say."""

from pathlib import Path

import pytest

from lessons import configs
from lessons.errors import DataError, LessonsError
from lessons.registry import Registry


@pytest.fixture
def parts() -> Registry:
    registry = Registry("part")

    @registry.register
    class Head:
        def __init__(self, channels: int, *, grids=(1,), tower=None):
            self.channels, self.grids, self.tower = channels, grids, tower

    @registry.register("tall tower")
    def tower(height=3):
        return "I" * height

    registry.register("anything", lambda **keywords: keywords)
    return registry


def test_three_ways_to_register(parts: Registry):
    assert parts.names() == ["Head", "tall tower", "anything"]
    assert parts.get("tall tower")(2) == "II" and "Head" in parts and "tower" not in parts


def test_a_decorated_class_stays_what_it_was(parts: Registry):
    @parts.register
    class Neck:
        pass

    assert isinstance(Neck, type) and parts.get("Neck") is Neck


def test_nested_settings_are_built_first_also_in_lists(parts: Registry):
    config = {"type": "Head", "channels": 4, "tower": {"type": "tall tower", "height": 5}}
    config["grids"] = [{"type": "tall tower"}, {"no": "type"}, 7]
    head = parts.build(config)
    assert head.tower == "IIIII" and head.grids == ["III", {"no": "type"}, 7]
    assert config["type"] == "Head" and config["tower"] == {"type": "tall tower", "height": 5}


def test_defaults_are_for_what_the_config_leaves_out(parts: Registry):
    head = parts.build({"type": "Head", "channels": 4}, channels=9, grids=(2, 3))
    assert (head.channels, head.grids) == (4, (2, 3))
    assert parts.build({"type": "anything", "a": 1}, b=2) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"type": "Haed", "channels": 1},
            "part 'Haed' is not known (did you mean 'Head'?): choose one of Head,",
        ),
        ({"type": "xyzzy"}, "part 'xyzzy' is not known: choose one of Head, tall tower, anything"),
        (
            {"type": "Head", "chanels": 1},
            "Head takes no 'chanels' (did you mean 'channels'?): it takes channels",
        ),
        ({"type": "Head"}, "Head needs 'channels'"),
        ({"channels": 1}, "A part needs a type, and {'channels': 1} has none"),
        ({"type": "Head", "channels": 1, "tower": {"type": "tower"}}, "did you mean 'tall tower'?"),
        ({"type": ["Head"]}, "is not known"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_it(parts: Registry, config, said: str):
    with pytest.raises(LessonsError) as error:
        parts.build(config)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_name_is_given_once(parts: Registry):
    with pytest.raises(LessonsError, match="part 'Head' is registered already"):
        parts.register("Head", dict)


# ------------------------------------------------------------------------------------------- configs


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_that_extends_another_says_only_what_is_different(tmp_path: Path):
    path = written(
        tmp_path,
        "own",
        'extends = "solo-mini"\n[model.head]\nconvolutions = 2\ngrids = [4]\n[[augmentation]]\n',
    )
    own, base = configs.read(path), configs.read("solo-mini")
    assert own["model"]["head"] == {**base["model"]["head"], "convolutions": 2, "grids": [4]}
    assert own["augmentation"] == [{}] and own["training"] == base["training"]
    second = written(tmp_path, "second", f'extends = "{path.as_posix()}"\n[training]\nseed = 5\n')
    assert configs.read(second)["model"] == own["model"] and configs.read(second)["training"]["seed"] == 5


def test_what_is_written_is_read_again(tmp_path: Path):
    for name in configs.names():
        config = configs.read(name)
        assert configs.read(written(tmp_path, "copy", configs.to_toml(config))) == config, name
    odd = {"data": {"classes": ['a "b"', "é\\n"], "set": ""}, "training": {"clip": None}}
    again = configs.read(written(tmp_path, "odd", configs.to_toml(odd)))
    assert again == {"data": odd["data"], "training": {}}


def test_single_entries_are_changed_and_the_config_stays():
    config = configs.read("solo-mini")
    settings = [
        "training.learning_rate=1e-4",
        "training.optimiser=SGD",
        "augmentation.0.short=99",
        "model.new=[1]",
    ]
    changed = configs.change(config, settings)
    assert changed["training"]["learning_rate"] == 1e-4 and changed["training"]["optimiser"] == "SGD"
    assert changed["augmentation"][0]["short"] == 99 and changed["model"]["new"] == [1]
    assert config == configs.read("solo-mini")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("training.seed", "write section.entry=value"),
        ("trainig.seed=1", "there is no 'trainig'"),
        ("seed=1", "the sections are model"),
        ("augmentation.9.short=1", "there is no '9'"),
        ("augmentation.9=1", "there is no '9'"),
        ("training.seed.x=1", "leads nowhere"),
    ],
)
def test_a_setting_that_leads_nowhere_is_named(setting: str, said: str):
    with pytest.raises(LessonsError, match=r"leads nowhere|sets nothing") as error:
        configs.change({"training": {"seed": 0}, "augmentation": [{}]}, [setting])
    assert said in str(error.value) and setting in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[model", "is no TOML"),
        ("[trainig]\n", "has a section 'trainig' (did you mean 'training'?)"),
        ('extends = "solo-mni"', "'solo-mni' is no model (did you mean 'solo-mini'?)"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, said: str):
    path = written(tmp_path, "bad", text)
    with pytest.raises(LessonsError) as error:
        configs.read(path)
    assert said in str(error.value) and ("bad.toml" in str(error.value) or "extends" in text)


def test_files_that_extend_each_other_are_found_out(tmp_path: Path):
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text(f'extends = "{second.as_posix()}"\n')
    second.write_text(f'extends = "{first.as_posix()}"\n')
    with pytest.raises(DataError, match=r"first\.toml extends itself"):
        configs.read(first)
    with pytest.raises(LessonsError, match=r"third\.toml does not exist"):
        configs.read(tmp_path / "third.toml")
