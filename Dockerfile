# Three stages: the toolchains stay out of what runs. Any Node of the supported range works; 24 is the newest. The native engine needs the glibc that
# it was built with, or a newer one: both bases are of one Debian.
FROM rust:1.88-slim-bookworm AS engine
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ make cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY gateway/engine/native ./gateway/engine/native
RUN cd gateway/engine/native && cargo build --release --locked --features node \
  && case "$(uname -m)" in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac \
  && strip --strip-debug -o "/isthmus-engine.linux-$arch.node" /src/build/cargo/release/libisthmus_engine.so

FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && rm -rf build/test build/bench && npm prune --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/isthmus
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/build ./build
COPY --from=engine /isthmus-engine.linux-*.node ./build/native/
COPY deploy/container/first-start.sh /usr/local/bin/isthmus-first-start
RUN ln -s /opt/isthmus/build/cli/main.js /usr/local/bin/isthmus && chmod 755 build/cli/main.js /usr/local/bin/isthmus-first-start \
  && for d in isthmus isthmus-exchange; do mkdir -p /var/lib/$d && chown 1000:1000 /var/lib/$d && chmod 700 /var/lib/$d; done
# By number: Kubernetes' runAsNonRoot cannot judge a name.
USER 1000:1000
VOLUME /var/lib/isthmus
EXPOSE 15012 15014 15020 15021 15443
ENTRYPOINT ["isthmus"]
