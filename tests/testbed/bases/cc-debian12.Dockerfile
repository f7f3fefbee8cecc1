# Stands in for gcr.io/distroless/cc-debian12:nonroot: what a program in C needs, certificates, and neither a shell nor root.
FROM docker.io/library/debian:bookworm-slim AS debian
RUN mkdir -p /image/tmp /image/etc/ssl/certs /image/home/nonroot \
 && dpkg -L base-files libc6 libgcc-s1 libstdc++6 tzdata | while read -r file; do \
      if [ -f "$file" ]; then cp -a --parents "$file" /image; fi; \
    done \
 && echo 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >/image/etc/passwd \
 && echo 'root:x:0:\nnonroot:x:65532:' >/image/etc/group \
 && chmod 1777 /image/tmp && chown 65532:65532 /image/home/nonroot
COPY ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
COPY --from=debian /image /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532
WORKDIR /home/nonroot
