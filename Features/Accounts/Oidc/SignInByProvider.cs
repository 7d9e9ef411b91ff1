using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using MediatR;
using Microsoft.AspNetCore.Authentication;

namespace Bellhop.Features.Accounts.Oidc;

/// <summary>Signs a browser in by the identity provider that the settings name.</summary>
/// <remarks>
/// A user is known by what the provider calls him. The first time he is found by his e-mail address, which the provider must have
/// verified: an account that has it is his from then on, and an open invitation to it is accepted. Nobody gets in uninvited.
/// </remarks>
public static class SignInByProvider
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app)
        {
            app.MapGet("/v1/auth/oidc", StartAsync)
                .AllowAnonymous()
                .InBucket(RateBucket.Auth)
                .WithQuery("return_to")
                .ExcludeFromDescription();
            // the scheme has looked at it before the route does
            app.MapGet(OidcLogin.CallbackPath, ReturnAsync)
                .AllowAnonymous()
                .InBucket(RateBucket.Auth)
                .CalledByForeignPrograms()
                .ExcludeFromDescription();
        }

        /// <summary>Sign in by the identity provider</summary>
        public static async Task<IResult> StartAsync(HttpContext http, Settings settings)
        {
            if (settings.Oidc is null)
            {
                return new ProblemResponse(NotConfigured);
            }

            var wanted = http.Request.Query["return_to"].ToString();
            if (wanted.Length > 0 && !IsOwnPath(wanted))
            {
                const string Message = "A path of this service, such as /docs.";
                return new ProblemResponse(
                    Problems.InvalidParameter.Because(
                        $"return_to: {Message}",
                        FieldError.InParameter("return_to", "invalid", Message)
                    )
                );
            }

            var target = wanted.Length > 0 ? wanted : OidcLogin.DefaultReturn;
            await http.ChallengeAsync(OidcLogin.Scheme, new AuthenticationProperties { RedirectUri = target });
            return Results.Empty;
        }

        /// <summary>Come back from the identity provider</summary>
        public static async Task<IResult> ReturnAsync(
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            if (OidcLogin.Proven(http) is not { } proven)
            {
                return new ProblemResponse(NotConfigured);
            }

            var command = new Command(
                proven.Issuer,
                proven.Subject,
                proven.Email,
                proven.IsEmailVerified,
                http.Request.Headers.UserAgent.ToString(),
                SessionCookie.Read(http)
            );
            var result = await mediator.Send(command, cancellationToken);
            return result.ToHttp(begun =>
            {
                SessionCookie.Write(http, begun.Session);
                return TypedResults.Redirect(proven.ReturnTo);
            });
        }

        private static Problem NotConfigured { get; } =
            Problems.NotFound.Because("No identity provider is configured (Bellhop:Oidc).");

        // what browsers take for another host is none: //host, /\host
        private static bool IsOwnPath(string text) =>
            text[0] == '/' && !text.Skip(1).Take(1).Any(next => next is '/' or '\\') && !text.Any(char.IsControl);
    }

    /// <param name="Issuer">Who says it.</param>
    /// <param name="Subject">What the issuer calls the user, for ever.</param>
    /// <param name="Agent">What the browser says it is.</param>
    /// <param name="Replaced">The secret of the session that came along.</param>
    public sealed record Command(
        string Issuer,
        string Subject,
        string? Email,
        bool IsEmailVerified,
        string? Agent,
        string? Replaced
    ) : IRequest<Result<Response>>
    {
        public override string ToString() => "a sign-in by a provider";
    }

    /// <param name="Session">The secret of the new session.</param>
    public sealed record Response(string Session)
    {
        public override string ToString() => "a session";
    }

    internal sealed class Handler(UnitOfWork works, LinkedUsers users, Sessions sessions, AccountAudit audit)
        : IRequestHandler<Command, Result<Response>>
    {
        private static readonly Problem Unknown = AccountsProblems.NotInvited.Because(
            "Nobody here is known by this, or by an e-mail address that the provider has verified. Ask for an invitation."
        );

        public async Task<Result<Response>> Handle(Command command, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var userId = await users.FindAsync(
                work,
                command.Issuer,
                command.Subject,
                command.IsEmailVerified ? command.Email : null,
                cancellationToken
            );
            var user = userId is { } id ? await KnownUsers.ReadAsync(work.Connection, id, cancellationToken) : null;
            if (user is null || user.IsDisabled)
            {
                return Unknown;
            }

            var session = await sessions.BeginAsync(
                work.Connection,
                user,
                Sessions.Provider,
                command.Agent,
                command.Replaced,
                cancellationToken
            );
            if (session is null)
            {
                return Unknown;
            }

            await audit.RecordAsync(work.Connection, user.Id, user.Email, "users.sign_in", cancellationToken);
            await work.CommitAsync(cancellationToken);
            return new Response(session);
        }
    }
}
