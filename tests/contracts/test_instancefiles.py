"""What every kind of file of objects must do."""

import pytest

from autoseg.errors import FormatError
from autoseg.instancefiles.readers import INSTANCEFILES
from autoseg.instancefiles.readers.base import InstanceFile, content_of


@pytest.fixture(params=INSTANCEFILES.names())
def name(request):
    return request.param


def test_it_is_an_instance_file_with_endings_in_lower_case(name):
    kind = INSTANCEFILES[name]

    assert issubclass(kind, InstanceFile)
    assert kind.endings
    assert all(e[0] == "." and e == e.lower() for e in kind.endings)


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"{", b"[]", b"nonsense\n"])
def test_what_it_cannot_read_is_an_error_with_the_file(name, content, tmp_path):
    path = tmp_path / f"one{INSTANCEFILES[name].endings[0]}"
    path.write_bytes(content)

    try:
        found = content_of(path, name)
    except FormatError as error:
        assert "one" in str(error)
    else:
        assert not any(picture.objects for picture in found.pictures)
