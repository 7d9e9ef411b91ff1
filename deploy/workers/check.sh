#!/usr/bin/env bash
# The handler that `bellhop worker check` wants for each job: it takes as long as it is told, and then has an effect, which the kit sees.
[[ $(cat) =~ \"seconds\":\ ?([0-9.]+),\ ?\"effect\":\ ?\"([^\"]+)\" ]] || exit 64
sleep "${BASH_REMATCH[1]}"
curl -fsS -X POST "${BASH_REMATCH[2]}" && echo '{"checked":true}'
