# syntax=docker/dockerfile:1

# The compiler runs on the machine that builds, also when the image is for another architecture.
FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:10.0 AS build
ARG TARGETARCH
WORKDIR /src
COPY global.json Directory.Build.props Directory.Packages.props Service.csproj packages.lock.json ./
RUN dotnet restore Service.csproj -a "$TARGETARCH" -p:Configuration=Release
COPY . .
RUN dotnet publish Service.csproj -c Release -a "$TARGETARCH" --no-restore -o /app \
    && mkdir -p /state

# Without a shell, a package manager or root: 1654 is the image's own user, as a number so that it can be verified.
FROM mcr.microsoft.com/dotnet/aspnet:10.0-noble-chiseled
LABEL org.opencontainers.image.title="Bellhop" \
    org.opencontainers.image.description="Self-hosted back-office automation on one PostgreSQL" \
    org.opencontainers.image.licenses="MIT"
COPY --from=build /app /app
COPY --from=build --chown=1654:1654 /state /var/lib/bellhop
# All that is ever written is here and in /tmp: the root may be read-only.
VOLUME /var/lib/bellhop
ENV Bellhop__StateDirectory=/var/lib/bellhop \
    Bellhop__Listen=0.0.0.0:8080 \
    Bellhop__InternalListen=0.0.0.0:8081
USER 1654
WORKDIR /app
EXPOSE 8080 8081
# Liveness, not readiness: a database that is away is no reason to restart this.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["/app/bellhop", "health", "--live"]
ENTRYPOINT ["/app/bellhop"]
CMD ["serve"]
