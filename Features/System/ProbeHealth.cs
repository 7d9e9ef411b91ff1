using System.CommandLine;
using System.Net;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Outgoing;
using MediatR;

namespace Bellhop.Features.System;

/// <summary>Asks the service that runs on this machine how it is: exit code 0 when well, 1 when not.</summary>
public static class ProbeHealth
{
    public sealed class Verb : CliVerb
    {
        private readonly Option<bool> _live = new("--live") { Description = "only whether the process runs" };

        public Verb()
            : base("health", "Ask the running service how it is.") => Add(_live);

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            var query = new Query(
                session.Get(_live) ? Probe.Live : Probe.Ready,
                Listeners.Reachable(session.ReadSettings().InternalListen)
            );
            return session.SendOfflineAsync(
                query,
                response => response.Detail is null ? response.Status : $"{response.Status}: {response.Detail}",
                response => response.Status == "ok" ? ExitCodes.Done : ExitCodes.Failed,
                cancellationToken
            );
        }
    }

    public sealed record Query(Probe Probe, IPEndPoint Address) : IRequest<Result<Response>>;

    /// <param name="Status"><c>ok</c>, <c>not_ready</c> or <c>unreachable</c>.</param>
    public sealed record Response(string Status, string? Detail);

    internal sealed class Handler(TimeProvider clock) : IRequestHandler<Query, Result<Response>>
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

        public async Task<Result<Response>> Handle(Query query, CancellationToken cancellationToken)
        {
            var address = query.Address.Address;
            var alone = new IPNetwork(address, address.GetAddressBytes().Length * 8);
            using var client = new OutgoingClient(new AddressPolicy([alone]), clock);
            var url = $"http://{query.Address}/health/{JsonRules.Spell(query.Probe.ToString())}";
            var answer = await client.SendAsync(
                new OutgoingRequest(HttpMethod.Get, url) { Timeout = Patience },
                cancellationToken
            );
            return answer switch
            {
                { IsSuccessStatus: true } => new Response("ok", null),
                { Status: { } status } => new Response("not_ready", $"{url} answered {status}."),
                _ => new Response("unreachable", $"{url}: {answer.ErrorCode}."),
            };
        }
    }
}
