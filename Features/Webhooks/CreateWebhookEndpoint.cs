using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Outgoing;
using Bellhop.Infrastructure.Secrets;
using Carter;
using Dapper;
using FluentValidation;
using FluentValidation.Results;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Webhooks;

/// <summary>Makes an endpoint: from here on, events whose type matches go out to its URL, signed.</summary>
/// <remarks>An event whose request began after the answer is matched against it. The secret is shown in this answer and never again.</remarks>
public static class CreateWebhookEndpoint
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/webhook-endpoints", Post)
                .RequirePermission(Permissions.WebhooksWrite)
                .WithName(nameof(CreateWebhookEndpoint))
                .WithTags("Webhooks")
                .Produces<Response>(StatusCodes.Status201Created)
                .ProducesProblem(StatusCodes.Status400BadRequest)
                .ProducesProblem(StatusCodes.Status409Conflict)
                .ProducesProblem(StatusCodes.Status422UnprocessableEntity);

        /// <summary>Create a webhook endpoint</summary>
        public static async Task<IResult> Post(
            Body<Command> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(body.Value, cancellationToken);
            return result.ToHttp(made => TypedResults.Created($"/v1/webhook-endpoints/{made.Id}", made));
        }
    }

    /// <param name="Name">1 to 63 lower-case letters, digits and hyphens.</param>
    /// <param name="Url">https on port 443; http, other ports and private addresses only in networks the operator allows.</param>
    /// <param name="EventTypes">1 to 100: a type, <c>a.b.*</c> for what stands below <c>a.b</c>, or <c>*</c>.</param>
    /// <param name="Retry">Null: ten attempts over 75 hours. No attempt is made after seven days.</param>
    /// <param name="Concurrency">How many requests may be open at once, 1 to 100; null: 10.</param>
    /// <param name="Secret">Null: one is made. <c>whsec_</c> and 24 to 64 bytes in base64.</param>
    public sealed record Command(
        string Name,
        string Url,
        IReadOnlyList<string> EventTypes,
        RetryPolicy? Retry,
        short? Concurrency,
        string? Secret
    ) : IRequest<Result<Response>>;

    /// <param name="Secret">What its webhooks are signed with; shown this once.</param>
    public sealed record Response(
        Guid Id,
        string Secret,
        string Name,
        string Url,
        IReadOnlyList<string> EventTypes,
        string State,
        RetryPolicy Retry,
        short Concurrency,
        DateTime CreatedAt
    );

    public sealed class Validator : AbstractValidator<Command>
    {
        private const int MaxEventTypes = 100;

        public Validator(AddressPolicy addresses)
        {
            RuleFor(command => command.Name).IsSlug();
            RuleFor(command => command.Url)
                .Custom(
                    (url, context) =>
                    {
                        if (addresses.CheckUrl(url).ErrorCode is { } code)
                        {
                            context.AddFailure(
                                new ValidationFailure(context.PropertyPath, "Webhooks may not go to this URL.")
                                {
                                    ErrorCode = code,
                                }
                            );
                        }
                    }
                );
            RuleFor(command => command.EventTypes)
                .Must(types => types is { Count: > 0 and <= MaxEventTypes })
                .WithErrorCode("out_of_range")
                .WithMessage($"Give 1 to {MaxEventTypes} event types.");
            RuleForEach(command => command.EventTypes)
                .Must(type => EventTypePattern.Parse(type) is not null)
                .WithErrorCode("invalid_event_type")
                .WithMessage("An event type is a name, a name and .*, or *.");
            RuleFor(command => command.Retry).SetValidator(new RetryPolicyRules()!);
            RuleFor(command => command.Concurrency).InclusiveBetween((short)1, (short)100);
            RuleFor(command => command.Secret)
                .Must(secret => secret is null || EndpointSecret.KeyOf(secret) is not null)
                .WithErrorCode("invalid_secret")
                .WithMessage("A secret is whsec_ and 24 to 64 bytes in base64.");
        }
    }

    internal sealed class Handler(NpgsqlDataSource database, SecretBox box, Caller caller, TimeProvider clock)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command command, CancellationToken cancellationToken)
        {
            var now = clock.GetUtcNow();
            var id = Guid.CreateVersion7(now);
            var secret = command.Secret ?? EndpointSecret.Generate();
            var arguments = new
            {
                caller.ProjectId,
                Id = id,
                command.Name,
                command.Url,
                EventTypes = command.EventTypes.Distinct(StringComparer.Ordinal).ToArray(),
                Secrets = new[] { box.Seal(secret, EndpointSecret.PlaceOf(caller.ProjectId, id)) },
                Retry = command.Retry is null ? null : JsonSerializer.Serialize(command.Retry, JsonRules.Options),
                Concurrency = command.Concurrency ?? WebhookEndpoint.DefaultConcurrency,
                Now = now.UtcDateTime,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var row = await connection.QuerySingleOrDefaultAsync<EndpointRow>(
                Sql.Insert.With(arguments, cancellationToken)
            );
            if (row is null)
            {
                return Problems.NameTaken.Because($"There is a webhook endpoint {command.Name} already.");
            }

            await RulesVersion.RaiseAsync(connection, caller.ProjectId, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            var made = row.ToEndpoint();
            return new Response(
                made.Id,
                secret,
                made.Name,
                made.Url,
                made.EventTypes,
                made.State,
                made.Retry,
                made.Concurrency,
                made.CreatedAt
            );
        }
    }

    private static class Sql
    {
        public const string Insert = """
            INSERT INTO webhook_endpoints (
                project_id, id, name, url, event_types, state, secrets, retry, concurrency, created_at
            )
            VALUES (
                @ProjectId, @Id, @Name, @Url, @EventTypes, 'active', @Secrets, @Retry::json, @Concurrency, @Now
            )
            ON CONFLICT ON CONSTRAINT webhook_endpoints_name_taken DO NOTHING
            RETURNING id, name, url, event_types, state, retry::text AS retry, concurrency, created_at
            """;
    }
}
