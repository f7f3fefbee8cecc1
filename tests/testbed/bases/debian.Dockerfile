# Stands in for docker.io/library/debian:bookworm-slim.
FROM scratch
COPY debian /
CMD ["bash"]
