"""DA-TransUNet: the count of its authors' code, less what never learns there."""

from autoseg.networks.da_transunet import DATransUNet


def test_it_has_as_many_parameters_as_the_authors_use():
    # DA_Transformer of SUN-1024/DA-TransUnet at fd1b653, counted by building it: 224
    # pixels, 3 channels in and 9 out. 1,513,816 of its numbers get no gradient: heads
    # of attention that no output needs. Here they are not made.
    strides = [[1, 1], *[[2, 2]] * 4]
    options = {"dim": 2, "patch": [224, 224], "strides": strides}

    drawing = DATransUNet.drawing(options, (224, 224), 3, 9)

    assert drawing.parameters == 107_951_855 - 1_513_816


def test_the_finest_skip_has_no_attention():
    options, shape = DATransUNet.example(2)

    drawing = DATransUNet.drawing(options, shape, 1, 2)

    dual = {la.name.split(".dual")[0] for la in drawing.layers if ".dual." in la.name}
    assert dual == {"transformer"}  # the example has a fine skip only
