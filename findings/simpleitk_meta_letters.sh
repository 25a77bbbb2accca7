#!/usr/bin/env bash
# SimpleITK 2.5.7: it writes "RAI" into a MetaImage for what it calls "LPS" itself, and reads past the letters
#
# Packages   simpleitk==2.5.7 (ITK 5.4), numpy==2.4.6
# Seen       An image whose direction is the identity.
#              DICOMOrientImageFilter.GetOrientationFromDirectionCosines   LPS
#              AnatomicalOrientation, in the header that WriteImage writes   RAI
#            The same file with the letters LPS, ASL or ??? in the header: read as before, without a word;
#            the field is in no key of the image that is read.
# Good guess One library means one thing by three letters: towards left, behind and above. Wrong: its writer
#            of MetaImage names the side where an axis comes from, its filter (and nibabel, and DICOM) the
#            side where it runs to; MetaIO's own documentation has the latter for the field.
# Matters    Whoever trusts the letters of a .mha or .mhd, as its text invites to, mirrors all three axes;
#            and a header whose letters were corrected by hand is still read by its matrix.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet simpleitk==2.5.7 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import SimpleITK as sitk

image = sitk.Image(4, 5, 6, sitk.sitkUInt8)
sitk.WriteImage(image, "image.mha")
with open("image.mha", "rb") as file:
    content = file.read()
header = content.split(b"ElementDataFile")[0].decode()
written = header.split("AnatomicalOrientation = ")[1].split()[0]
named = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
print(f"the filter calls it {named}, the file {written}")

as_described = (named, written) == ("LPS", "RAI")
for letters in ("LPS", "ASL", "???"):
    with open("other.mha", "wb") as file:
        file.write(content.replace(b"= RAI", f"= {letters}".encode()))
    other = sitk.ReadImage("other.mha")
    kept = [key for key in other.GetMetaDataKeys() if letters in other.GetMetaData(key)]
    same = other.GetDirection() == image.GetDirection()
    print(f"with {letters} in the file: the same direction: {same}, kept in: {kept}")
    as_described &= same and not kept
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
