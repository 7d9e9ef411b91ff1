using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Carter;
using FluentValidation;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Tells whether the caller may do something, to something, and why or why not.</summary>
/// <remarks>
/// The same table and the same conditions decide as for the request itself, as they are now. What is another project's is answered
/// as what is not there.
/// </remarks>
public static class CheckAccess
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/auth/check", Post)
                .RequireCaller()
                .WithoutIdempotencyKey()
                .WithName(nameof(CheckAccess))
                .WithTags("Auth")
                .Produces<Response>()
                .ProducesProblems(Problems.Invalid);

        /// <summary>Check what the caller may do</summary>
        public static async Task<IResult> Post(
            Body<Command> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(body.Value, cancellationToken);
            return result.ToHttp(TypedResults.Ok);
        }
    }

    /// <param name="Permission">Such as <c>jobs:operate</c>.</param>
    /// <param name="Resource">Folder and id or name, such as <c>automations/triage</c> or <c>queues/default</c>; null: anything of the kind.</param>
    public sealed record Command(string? Permission, [property: MaxLength(Command.MaxLength)] string? Resource = null)
        : IRequest<Result<Response>>,
            IExampled<Command>
    {
        internal const int MaxLength = 200;

        public static Command Example => new(Permissions.JobsWrite, "queues/default");
    }

    /// <param name="Because">A sentence: the role, the scopes, or the condition that decides.</param>
    public sealed record Response(bool Allowed, [property: MaxLength(8_192)] string Because) : IExampled<Response>
    {
        public static Response Example => new(true, "The role developer has jobs:write.");
    }

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator(IEnumerable<ResourceLookup> lookups)
        {
            string[] kinds = [.. lookups.Select(lookup => lookup.Kind).Order(StringComparer.Ordinal)];
            RuleFor(command => command.Permission).IsOneOf([.. Permissions.All.Order(StringComparer.Ordinal)]);
            RuleFor(command => command.Resource)
                .MaximumLength(Command.MaxLength)
                .Must(resource =>
                    resource is null
                    || (
                        resource.Split('/') is [var kind, { Length: > 0 }]
                        && kinds.Contains(kind, StringComparer.Ordinal)
                    )
                )
                .WithErrorCode("unknown_resource")
                .WithMessage(
                    $"A folder and an id or name, such as queues/default; the folders are {string.Join(", ", kinds)}."
                );
        }
    }

    internal sealed class Handler(NpgsqlDataSource database, IEnumerable<ResourceLookup> lookups, Caller caller)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            var permission = request.Permission!;
            if (caller.Refusal is { } refusal)
            {
                return new Response(false, refusal.Detail);
            }

            if (!caller.May(permission))
            {
                return new Response(
                    false,
                    caller.IsInArchive && !Roles.IsLeftInArchive(permission) ? "The project is archived, and only read."
                        : Roles.Allow(caller.Role ?? "", scopes: null).Contains(permission)
                            ? $"The role {caller.Role} has {permission}, and the scopes leave it out."
                        : $"The role {caller.Role} lacks {permission}."
                );
            }

            var granted = $"The role {caller.Role} has {permission}";
            if (request.Resource is not { } resource)
            {
                return new Response(true, $"{granted}.");
            }

            if (await FindAsync(resource.Split('/'), cancellationToken) is not { } traced)
            {
                return new Response(false, $"There is no {resource}.");
            }

            return caller.Access.Excludes(traced, caller.Id) is { } only
                ? new Response(false, $"{granted}, and what narrows it leaves {only}.")
                : new Response(true, $"{granted}, and nothing that narrows it excludes {resource}.");
        }

        private async Task<Traced?> FindAsync(string[] resource, CancellationToken cancellationToken)
        {
            var lookup = lookups.Single(lookup => lookup.Kind == resource[0]);
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            return await lookup.FindAsync(connection, caller.ProjectId, NameOrId.Parse(resource[1]), cancellationToken);
        }
    }
}
