using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Shows a project that the user who calls is a member of.</summary>
public static class GetProject
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/projects/{id}", Get)
                .RequireUser()
                .WithName(nameof(GetProject))
                .WithTags("Projects")
                .Produces<ProjectView>();

        /// <summary>Get a project</summary>
        public static async Task<IResult> Get(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(NameOrId.Parse(id)), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(NameOrId Project) : IRequest<Result<ProjectView>>;

    internal sealed class Handler(SavedProjects projects) : IRequestHandler<Query, Result<ProjectView>>
    {
        public Task<Result<ProjectView>> Handle(Query request, CancellationToken cancellationToken) =>
            projects.FindAsync(request.Project, cancellationToken);
    }
}
