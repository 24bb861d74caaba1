# The server and the page, on the CPU:
#   docker build -t steadymask .
#   docker run --rm -p 8000:8000 -p 8080:8080 -v steadymask:/data steadymask
FROM rust:1.95-bookworm AS build
WORKDIR /steadymask
COPY . .
RUN cargo xtask build

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates ffmpeg \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home steadymask \
    && install -d -o steadymask /data
COPY --from=build /steadymask/target/release/steadymask /usr/local/bin/
COPY --from=build /steadymask/dist /site
USER steadymask
# Uploads and results; networks that were fetched.
VOLUME /data
ENV STEADYMASK_MODELS=/data/models
EXPOSE 8000 8080
ENTRYPOINT ["steadymask"]
CMD ["serve", "--host", "0.0.0.0", "--data", "/data/jobs", "--site", "/site"]
