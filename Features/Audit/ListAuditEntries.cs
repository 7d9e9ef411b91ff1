using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Audit;

/// <summary>Lists what was changed in the project and by whom, the newest first.</summary>
public static class ListAuditEntries
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/audit", Get)
                .RequirePermission(Permissions.AuditRead)
                .WithPagingByTime(
                    "at",
                    new ListFilter("actor", Example: "key:shop"),
                    new ListFilter("action", Example: "connections.update"),
                    new ListFilter("target", Example: "connections/crm")
                )
                .WithName(nameof(ListAuditEntries))
                .WithTags("Audit")
                .Produces<Page<AuditItem>>();

        /// <summary>List audit entries</summary>
        public static async Task<IResult> Get(
            string? actor,
            string? action,
            string? target,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var paging = Paging.Read(http);
            return paging.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(paging.Unwrap(), actor, action, target), cancellationToken)).ToHttp(
                    http
                );
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string?> _actor = new("--actor") { Description = "only of this one: key:shop" };
        private readonly Option<string?> _action = new("--action") { Description = "only this: connections.update" };
        private readonly Option<string?> _target = new("--target") { Description = "only of this: connections/crm" };
        private readonly Option<int> _limit = new("--limit")
        {
            Description = $"how many, {PageRequest.MaxLimit} at most",
            DefaultValueFactory = _ => PageRequest.DefaultLimit,
        };

        public Verb()
            : base("audit list", "List what was changed and by whom, the newest first.") =>
            Add(_actor, _action, _target, _limit);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            var page = PageRequest.First(Math.Clamp(session.Get(_limit), 1, PageRequest.MaxLimit));
            return session.SendAsync(
                new Query(page, session.Get(_actor), session.Get(_action), session.Get(_target)),
                // columns apart by tabs, for cut and awk
                entries => string.Join('\n', entries.Items.Select(Line)),
                cancellationToken
            );
        }

        private static string Line(AuditItem entry) =>
            $"{entry.At:yyyy-MM-dd'T'HH:mm:ss.fff'Z'}\t{entry.Actor}\t{entry.Action}\t{entry.Target}\t{entry.Address ?? "-"}\t{entry.Id}";
    }

    public sealed record Query(PageRequest Page, string? Actor = null, string? Action = null, string? Target = null)
        : IRequest<Result<Page<AuditItem>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<AuditItem>>>
    {
        public async Task<Result<Page<AuditItem>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
                query.Actor,
                query.Action,
                query.Target,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<AuditRow>(Choose(query).With(arguments, cancellationToken));
            return query.Page.ToPage([.. rows.Select(row => row.ToItem())], entry => entry.Id);
        }

        // the narrowest first: its index is walked, the others are looked at on the way
        private static string Choose(Query query) =>
            (query, query.Page.OldestFirst) switch
            {
                ({ Target: not null }, false) => Sql.OfTarget,
                ({ Target: not null }, true) => Sql.OfTargetFromOldest,
                ({ Actor: not null }, false) => Sql.OfActor,
                ({ Actor: not null }, true) => Sql.OfActorFromOldest,
                ({ Action: not null }, false) => Sql.OfAction,
                ({ Action: not null }, true) => Sql.OfActionFromOldest,
                (_, false) => Sql.All,
                (_, true) => Sql.AllFromOldest,
            };
    }

    private static class Sql
    {
        public const string All = Rows + ListOrder.NewestFirst;
        public const string AllFromOldest = Rows + ListOrder.OldestFirst;
        public const string OfTarget = Rows + IsTarget + MaybeActor + MaybeAction + ListOrder.NewestFirst;
        public const string OfTargetFromOldest = Rows + IsTarget + MaybeActor + MaybeAction + ListOrder.OldestFirst;
        public const string OfActor = Rows + IsActor + MaybeAction + ListOrder.NewestFirst;
        public const string OfActorFromOldest = Rows + IsActor + MaybeAction + ListOrder.OldestFirst;
        public const string OfAction = Rows + " AND action = @Action" + ListOrder.NewestFirst;
        public const string OfActionFromOldest = Rows + " AND action = @Action" + ListOrder.OldestFirst;

        // what changed is left out: it may be as long as the configuration is
        private const string Rows = """
            SELECT id, at, actor, actor_id, method, address, request_id, action, target, target_id, NULL AS before, NULL AS after
            FROM audit_entries
            WHERE project_id = @ProjectId AND id >= @From AND id < @Until
            """;

        private const string IsTarget = " AND target = @Target";
        private const string IsActor = " AND actor = @Actor";
        private const string MaybeActor = " AND (@Actor::text IS NULL OR actor = @Actor)";
        private const string MaybeAction = " AND (@Action::text IS NULL OR action = @Action)";
    }
}
