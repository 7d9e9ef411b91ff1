using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Telemetry;
using Carter;
using MediatR;

namespace Bellhop.Features.System;

/// <summary>Tells proxies and supervisors how this process is. The internal port adds detail.</summary>
public static class GetHealth
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app)
        {
            foreach (var probe in Enum.GetValues<Probe>())
            {
                app.MapGet(
                        $"/health/{JsonRules.Spell(probe.ToString())}",
                        (HttpContext http, IMediator mediator) => Get(probe, http, mediator)
                    )
                    .AllowAnonymous()
                    .OnBothPorts()
                    .ExcludeFromDescription();
            }
        }

        private static async Task<IResult> Get(Probe probe, HttpContext http, IMediator mediator)
        {
            var query = new Query(probe, WithDetail: Listeners.IsInternal(http));
            var result = await mediator.Send(query, http.RequestAborted);
            return result.ToHttp(TypedResults.Ok);
        }
    }

    public sealed record Query(Probe Probe, bool WithDetail) : IRequest<Result<Response>>;

    /// <param name="Version">On the internal port only.</param>
    public sealed record Response(
        string Status,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Version
    );

    internal sealed class Handler(Readiness readiness) : IRequestHandler<Query, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Query query, CancellationToken cancellationToken)
        {
            var reason = query.Probe switch
            {
                Probe.Live => null,
                Probe.Startup => readiness.IsStarted ? null : "The service is starting.",
                _ => await readiness.ReasonAsync(),
            };
            return reason is null
                ? new Response("ok", query.WithDetail ? BuildInfo.Version : null)
                : Problems.NotReady.Because(query.WithDetail ? reason : "The service is not ready.");
        }
    }
}
