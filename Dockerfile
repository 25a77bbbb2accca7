# autoseg in a container: for a CPU by default, for an NVIDIA GPU with the index of its CUDA version.
#   docker build -t autoseg .
#   docker build -t autoseg:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
#   docker run --rm -v "$PWD:/data" autoseg check DATASET
#   docker run --rm --gpus all --shm-size 8g -v "$PWD:/data" autoseg:cuda train DATASET 3d_fullres 0
FROM python:3.12-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /opt/autoseg
# torch first and by itself: it is large, and it stays when the code changes.
COPY constraints.txt ./
RUN pip install --no-cache-dir "$(grep '^torch==' constraints.txt)" --index-url "$TORCH_INDEX"

COPY LICENSE README.md setup.cfg pyproject.toml ./
COPY autoseg autoseg
COPY planners planners
RUN pip install --no-cache-dir -c constraints.txt .

# Nobody's data are written as root.
RUN useradd --create-home --uid 1000 autoseg
USER autoseg
WORKDIR /data
ENTRYPOINT ["autoseg"]
CMD ["--help"]
