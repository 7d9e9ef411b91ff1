using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Secrets;
using Carter;
using Dapper;
using FluentValidation;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Sources;

/// <summary>Makes a place that webhooks come in at.</summary>
/// <remarks>The secret is the one the sender signs with; it is encrypted at rest and never shown again.</remarks>
public static class CreateSource
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/sources", Post)
                .RequirePermission(Permissions.SourcesWrite)
                .WithName(nameof(CreateSource))
                .WithTags("Sources")
                .Produces<SourceView>(StatusCodes.Status201Created)
                .ProducesProblem(StatusCodes.Status400BadRequest)
                .ProducesProblem(StatusCodes.Status409Conflict)
                .ProducesProblem(StatusCodes.Status422UnprocessableEntity);

        /// <summary>Create a source</summary>
        public static async Task<IResult> Post(
            Body<Command> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(body.Value, cancellationToken);
            return result.ToHttp(source => TypedResults.Created($"/v1/sources/{source.Id}", source));
        }
    }

    /// <param name="Name">1 to 63 lower-case letters, digits and hyphens; also the source of its events.</param>
    /// <param name="Scheme">How the sender signs: <c>github</c> or <c>standard-webhooks</c>.</param>
    /// <param name="Secret">What the sender signs with: 8 to 500 characters; of Standard Webhooks <c>whsec_…</c>.</param>
    public sealed record Command(string Name, string Scheme, string Secret) : IRequest<Result<SourceView>>;

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator()
        {
            RuleFor(command => command.Name).IsSlug();
            RuleFor(command => command.Scheme)
                .Must(scheme => scheme is not null && WebhookScheme.All.ContainsKey(scheme))
                .WithErrorCode("unknown_scheme")
                .WithMessage($"Known are {string.Join(", ", WebhookScheme.All.Keys.Order())}.");
            RuleFor(command => command.Secret)
                .Must(
                    (command, secret) =>
                        secret is not null && WebhookScheme.All[command.Scheme].KeyOf(secret) is not null
                )
                .When(command => command.Scheme is not null && WebhookScheme.All.ContainsKey(command.Scheme))
                .WithErrorCode("invalid_secret")
                .WithMessage(command => $"A secret here is {WebhookScheme.All[command.Scheme].SecretForm}.");
        }
    }

    internal sealed class Handler(NpgsqlDataSource database, SecretBox box, Caller caller, TimeProvider clock)
        : IRequestHandler<Command, Result<SourceView>>
    {
        public async Task<Result<SourceView>> Handle(Command command, CancellationToken cancellationToken)
        {
            var now = clock.GetUtcNow();
            var id = Guid.CreateVersion7(now);
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var source = await connection.QuerySingleOrDefaultAsync<SourceView>(
                Sql.Insert.With(
                    new
                    {
                        caller.ProjectId,
                        Id = id,
                        command.Name,
                        command.Scheme,
                        Token = Base62.Random(SourceCache.TokenLength),
                        Secrets = new[] { box.Seal(command.Secret, SourceCache.PlaceOf(caller.ProjectId, id)) },
                        Now = now.UtcDateTime,
                    },
                    cancellationToken
                )
            );
            return source is null ? Problems.NameTaken.Because($"There is a source {command.Name} already.") : source;
        }
    }

    private static class Sql
    {
        public const string Insert = """
            INSERT INTO sources (project_id, id, name, scheme, token, secrets, created_at)
            VALUES (@ProjectId, @Id, @Name, @Scheme, @Token, @Secrets, @Now)
            ON CONFLICT ON CONSTRAINT sources_name_taken DO NOTHING
            RETURNING id, name, scheme, '/in/' || token AS inbound_path, created_at
            """;
    }
}
