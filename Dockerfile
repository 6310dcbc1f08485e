# Two stages: the toolchain stays out of what runs. Any Node of the supported range works; 24 is the newest.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/isthmus
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/build ./build
RUN ln -s /opt/isthmus/build/cli/main.js /usr/local/bin/isthmus && chmod +x build/cli/main.js \
  && mkdir -p /var/lib/isthmus && chown node:node /var/lib/isthmus && chmod 700 /var/lib/isthmus
USER node
VOLUME /var/lib/isthmus
EXPOSE 15012 15014 15020 15021 15443
ENTRYPOINT ["isthmus"]
