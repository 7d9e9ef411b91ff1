#!/usr/bin/env bash
# Executes jobs of a Bellhop queue, one at a time: BELLHOP_URL=… BELLHOP_KEY=… worker.sh QUEUE COMMAND… (README.md is the guide)
set -uo pipefail
url=${BELLHOP_URL%/}/v1/jobs key=$BELLHOP_KEY queue=$1 dir=$(mktemp -d) directive=run claim_key='' id='' outcome='' calling='' child=''
shift && unset BELLHOP_KEY # the command is not the worker
worker="{\"id\":\"$(</proc/sys/kernel/random/uuid)\",\"name\":\"worker.sh\",\"host\":\"$HOSTNAME\"}"
rest() { sleep "$1" & wait $!; } # like every wait here it ends when a signal comes
member() { [[ $answer =~ \"$1\":\"?([a-z0-9_]+) ]] && value=${BASH_REMATCH[1]}; } # of answers that hold nobody else's text
call() { # PATH SECONDS BODY [OPTION…]: $status and $answer; false where it is to be sent again, $after seconds later
    curl -sS --max-time "$2" -w '\n%{http_code} %header{retry-after}' -H @<(printf 'Authorization: Bearer %s' "$key") \
        -H 'Content-Type: application/json' ${3:+--data-binary @-} "${@:4}" "$url/$1" <<<"$3" >"$dir/answer" & calling=$!
    wait "$calling"; calling='' answer=$(<"$dir/answer")
    read -r status after <<<"${answer##*$'\n'}" && answer=${answer%$'\n'*}
    [[ $status == 200 ]] || echo "worker.sh: $1: $status $answer" >&2
    [[ $status =~ ^(200|40[0134]|41.|422)$ || $status == 409 && $1 == */* ]]
}
finish() { # OUTCOME, until it is answered or too late: duplicate is as good as accepted, and lease_lost the end of it too
    local pause=1 && outcome=$1
    until call finish 10 "{\"jobs\":[{\"id\":\"$id\",\"lease\":\"$lease\",\"outcome\":$1}]}" || ((SECONDS > lease_ends + 60)); do
        rest "${after:-$pause}" && pause=$((pause < 5 ? pause + 1 : 5))
    done
    [[ $1 == *result* && $status$answer =~ ^400|invalid ]] && finish '"succeeded"' # its output was no JSON
    id='' outcome='' child=''
}
end() { kill -TERM -- "-$child" && for _ in {1..50}; do kill -0 -- "-$child" && sleep 0.1; done && kill -KILL -- "-$child"; } 2>/dev/null
leave() { # what it holds goes to another worker at once
    trap '' TERM INT
    [[ ! $calling ]] || kill "$calling"; [[ ! $child ]] || end; [[ ! $id ]] || finish "${outcome:-\"released\"}"
    rm -r "$dir" && exit "${1:-0}"
}
beat() { # [JOB]: what is to become of the worker, $directive, and of the job, $order
    local sent=$SECONDS && next=$((SECONDS + 3))
    call heartbeat 3 "{\"worker\":$worker,\"jobs\":[${1:-}]}" && [[ $status == 200 ]] || return
    member lease_seconds && lease_ends=$((sent + value)); member status && order=$value; member directive && directive=$value
}
trap leave TERM INT
while [[ $directive != stop ]] || leave; do
    [[ $directive == run ]] || { beat; rest 3; continue; } # quiet: until it hears that it may go on
    order='' code='' claim_key=${claim_key:-$(</proc/sys/kernel/random/uuid)} # the same until there is an answer
    call claim 45 "{\"worker\":$worker,\"claim_key\":\"$claim_key\",\"queues\":[{\"name\":\"$queue\"}],\"max\":1,\"wait_seconds\":30}" ||
        { rest "${after:-1}" && continue; }
    [[ $status == 200 ]] || leave 1
    [[ $answer =~ ^\{\"jobs\":\[\{\"id\":\"([^\"]+)\",\"lease\":\"([^\"]+)\",\"lease_seconds\":([0-9]+) ]] ||
        { member directive && directive=$value && claim_key='' && member retry_in_seconds && rest "$value"; continue; }
    claim_key='' id=${BASH_REMATCH[1]} lease=${BASH_REMATCH[2]} lease_ends=$((SECONDS + BASH_REMATCH[3])) next=$((SECONDS + 3))
    if ! call "$id/args" 5 '' -H "Bellhop-Lease: $lease" || [[ $status != 200 ]]; then finish '"released"' && continue; fi
    set -m; BELLHOP_JOB_ID=$id "$@" <<<"$answer" >"$dir/result" & child=$!; set +m # it leads a group of processes
    until [[ $order$directive =~ cancel|lost|deadline|ended|stop ]]; do
        rest 0.2
        if ! kill -0 "$child" 2>/dev/null; then wait "$child"; code=$? order=ended; elif ((SECONDS >= lease_ends)); then order=lost
        elif ((SECONDS >= next)); then beat "{\"id\":\"$id\",\"lease\":\"$lease\"}"; fi
    done
    if [[ $order != ended ]]; then [[ $directive != stop ]] || continue; end; fi
    case $order$code in
        lost*) id='' child='' ;; cancel*) finish '"canceled"' ;; deadline*) finish '"failed","error":{"code":"deadline"}' ;;
        ended0) outcome=$(<"$dir/result") && finish "\"succeeded\"${outcome:+,\"result\":$outcome}" ;;
        ended75) finish '"snoozed","delay_seconds":60' ;;
        *) finish "\"failed\",\"error\":{\"code\":\"exit_$code\",\"message\":\"The command ended with exit code $code.\"}" ;;
    esac
done
