# An image for each part: `docker build --target controller .`; the targets are producer, consumer, controller and cli.
FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
# librdkafka and its OpenSSL are built from source. The base has what that takes; where a smaller one is used, it is installed.
RUN command -v g++ make perl >/dev/null \
 || (apt-get update && apt-get install -y --no-install-recommends g++ make perl && rm -rf /var/lib/apt/lists/*)
COPY Cargo.toml Cargo.lock ./
COPY tests/Cargo.toml tests/
COPY crates crates
# The tests are a member of the workspace: cargo wants to find them, but an image has no use for them.
RUN mkdir tests/src && touch tests/src/lib.rs
# `quick` compiles in a fraction of the time, for tests.
ARG PROFILE=release
# cargo judges by time whether a file has changed, and the cache may hold what was made later of an older state: ours is built anew.
# Each platform has a folder of its own in the cache: built side by side, they would take one another's files for theirs.
RUN --mount=type=cache,id=pricepipe-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=pricepipe-target,target=/src/target,sharing=locked \
    export CARGO_TARGET_DIR="target/$(uname -m)" \
 && find crates -name '*.rs' -exec touch {} + \
 && cargo build --locked --profile "$PROFILE" --bins \
      -p pricepipe -p pricepipe-producer -p pricepipe-consumer -p pricepipe-controller \
 && for program in pricepipe pricepipe-producer pricepipe-consumer pricepipe-controller; do \
      install -D --target-directory /out "$CARGO_TARGET_DIR/$PROFILE/$program" || exit 1; \
    done

# Certificates and the C library: no shell, no package manager, no root.
FROM gcr.io/distroless/cc-debian12:nonroot AS base
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.source="https://github.com/pricepipe/pricepipe" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532

FROM base AS producer
LABEL org.opencontainers.image.title="pricepipe-producer" org.opencontainers.image.description="Exchange to Kafka"
COPY --from=build /out/pricepipe-producer /usr/local/bin/
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/pricepipe-producer"]

FROM base AS consumer
LABEL org.opencontainers.image.title="pricepipe-consumer" org.opencontainers.image.description="Kafka to store"
COPY --from=build /out/pricepipe-consumer /usr/local/bin/
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/pricepipe-consumer"]

FROM base AS controller
LABEL org.opencontainers.image.title="pricepipe-controller" org.opencontainers.image.description="Keeps PricePipelines running in a cluster"
COPY --from=build /out/pricepipe-controller /usr/local/bin/
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/pricepipe-controller"]

# The command line, with the simulated exchange.
FROM base AS cli
LABEL org.opencontainers.image.title="pricepipe" org.opencontainers.image.description="A list of market symbols becomes a running price pipeline"
COPY --from=build /out/pricepipe /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/pricepipe"]
