using System.CommandLine;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.ApiKeys;

/// <summary>Makes an API key for a project. The key is shown once; only its hash is kept.</summary>
public static class CreateApiKey
{
    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _name = new("--name") { Description = "what to call it", Required = true };
        private readonly Option<string> _role = new("--role")
        {
            Description = string.Join(", ", Roles.Table.Keys.Order(StringComparer.Ordinal)),
            Required = true,
        };
        private readonly Option<string?> _scopes = new("--scopes")
        {
            Description = "only these permissions of the role, separated by commas",
        };
        private readonly Option<int> _expires = new("--expires-days")
        {
            Description = "days until it expires",
            DefaultValueFactory = _ => 365,
        };

        public Verb()
            : base("api-keys create", "Make an API key; it is shown once.") => Add(_name, _role, _scopes, _expires);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            var scopes = session
                .Get(_scopes)
                ?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            var command = new Command(session.Get(_name)!, session.Get(_role)!, scopes, session.Get(_expires));
            return session.SendAsync(command, made => made.Key, cancellationToken);
        }
    }

    /// <param name="Scopes">The key may do only these of what its role may; null: all of it.</param>
    public sealed record Command(string Name, string Role, IReadOnlyList<string>? Scopes, int ExpiresDays)
        : IRequest<Result<Response>>;

    /// <param name="Key">The key itself, never to be had again.</param>
    public sealed record Response(
        Guid Id,
        string Key,
        string Name,
        string Role,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Scopes,
        DateTime ExpiresAt
    );

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator()
        {
            RuleFor(command => command.Name).NotEmpty().MaximumLength(100);
            RuleFor(command => command.Role)
                .Must(Roles.Table.ContainsKey)
                .WithMessage(
                    $"There is no such role; there are {string.Join(", ", Roles.Table.Keys.Order(StringComparer.Ordinal))}."
                );
            RuleForEach(command => command.Scopes)
                .Must(Permissions.All.Contains)
                .WithMessage(command => "There is no permission {PropertyValue}.");
            RuleFor(command => command.ExpiresDays).InclusiveBetween(1, 3650);
        }
    }

    internal sealed class Handler(UnitOfWork works, Caller caller, AuditTrail audit, TimeProvider clock)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command command, CancellationToken cancellationToken)
        {
            var now = clock.GetUtcNow();
            var id = Guid.CreateVersion7(now);
            var key = ApiKey.Create(id);
            var expiresAt = now.AddDays(command.ExpiresDays).UtcDateTime;
            var access = new Access { Scopes = command.Scopes?.ToArray() };
            await using var work = await works.BeginAsync(cancellationToken);
            var isMade = await work.Connection.ExecuteAsync(
                Sql.Insert.With(
                    new
                    {
                        caller.ProjectId,
                        Id = id,
                        KeyId = key.Id,
                        command.Name,
                        key.Sha256,
                        command.Role,
                        Access = access.ToJson(),
                        ExpiresAt = expiresAt,
                    },
                    cancellationToken
                )
            );
            if (isMade == 0)
            {
                return Problems.NameTaken.Because($"The project has a key {command.Name} already.");
            }

            await audit.RecordAsync(
                work.Connection,
                new AuditRecord(
                    "api-keys.create",
                    $"api-keys/{command.Name}",
                    id,
                    null,
                    new
                    {
                        command.Name,
                        command.Role,
                        command.Scopes,
                        ExpiresAt = expiresAt,
                    }
                ),
                cancellationToken
            );
            await work.CommitAsync(cancellationToken);
            return new Response(id, key.Text, command.Name, command.Role, command.Scopes, expiresAt);
        }
    }

    private static class Sql
    {
        public const string Insert = """
            INSERT INTO api_keys (project_id, id, key_id, name, secret_sha256, role, access, expires_at)
            VALUES (@ProjectId, @Id, @KeyId, @Name, @Sha256, @Role, @Access::json, @ExpiresAt)
            ON CONFLICT (project_id, name) WHERE revoked_at IS NULL DO NOTHING
            """;
    }
}
