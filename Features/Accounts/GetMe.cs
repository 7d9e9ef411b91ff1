using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Shows who calls: user or key, in which project, with which role, and what it may do there.</summary>
/// <remarks>A user who picked no project, or has none, sees his memberships and no permissions.</remarks>
public static class GetMe
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/auth/me", Get)
                .RequireCaller()
                .WithName(nameof(GetMe))
                .WithTags("Auth")
                .Produces<Response>();

        /// <summary>Get who calls</summary>
        public static async Task<IResult> Get(
            HttpContext http,
            Caller caller,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var secret = caller.Method == ProofMethod.Session ? SessionCookie.Read(http) : null;
            var query = new Query(secret is null ? null : SessionCookie.CsrfTokenOf(secret));
            return (await mediator.Send(query, cancellationToken)).ToHttp(TypedResults.Ok);
        }
    }

    public sealed record Query(string? CsrfToken) : IRequest<Result<Response>>
    {
        public override string ToString() => "who calls";
    }

    /// <param name="Actor">As it stands in records: <c>user:ada@example.com</c>.</param>
    /// <param name="Method">How it was proven.</param>
    /// <param name="ProjectId">Where it acts; null: no project was picked.</param>
    /// <param name="Permissions">What it may do there.</param>
    /// <param name="Memberships">Of a user: where he may act.</param>
    /// <param name="CsrfToken">Of a session: what to send as <c>X-CSRF-Token</c> with every change.</param>
    public sealed record Response(
        [property: MaxLength(300)] string Actor,
        [property: MaxLength(63)] string Method,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Guid? UserId,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(254)] string? Email,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Guid? KeyId,
        Guid? ProjectId,
        [property: MaxLength(63)] string? Role,
        [property: MaxLength(200), Each(63)] IReadOnlyList<string> Permissions,
        [property: MaxLength(10_000)] IReadOnlyList<OwnMembership> Memberships,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(63)] string? CsrfToken
    ) : IExampled<Response>
    {
        public static Response Example =>
            new(
                "user:ada@example.com",
                ProofMethod.Session,
                Story.Source,
                "ada@example.com",
                null,
                Story.Endpoint,
                "operator",
                ["jobs:operate", "jobs:read"],
                [OwnMembership.Example],
                "rJ1mC0lOqKb1q3eU5wq3m6m7cT0v3lZ8aXy2s4d6f8g"
            );

        public override string ToString() => Actor;
    }

    internal sealed class Handler(Caller caller, KnownUsers users) : IRequestHandler<Query, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Query request, CancellationToken cancellationToken)
        {
            var user = caller.UserId is { } id ? await users.FindAsync(id, cancellationToken) : null;
            return new Response(
                caller.Actor,
                caller.Method,
                caller.UserId,
                user?.Email,
                caller.KeyId,
                caller.ProjectId == Guid.Empty ? null : caller.ProjectId,
                caller.Role,
                [.. caller.Permissions.Order(StringComparer.Ordinal)],
                [.. (user?.Memberships ?? []).Select(OwnMembership.Of)],
                request.CsrfToken
            );
        }
    }
}
