using Bellhop.Infrastructure.Database;
using MediatR;

namespace Bellhop.Infrastructure.Mediation;

/// <summary>
/// Answers whoever reads in time also while the database stands still: what changes nothing may be left alone when its caller has gone.
/// </summary>
public sealed class QueryPatience<TRequest, TResponse> : IPipelineBehavior<TRequest, TResponse>
    where TRequest : IRequest<TResponse>
{
    // by the names that every slice which only reads, for callers of the API, gives its parts; what the command line asks for may take
    // longer
    private static readonly bool IsQuery =
        typeof(TRequest).Name == "Query" && typeof(TRequest).DeclaringType?.GetNestedType("Endpoint") is not null;

    public Task<TResponse> Handle(
        TRequest request,
        CancellationToken cancellationToken,
        RequestHandlerDelegate<TResponse> next
    ) => IsQuery ? next().WaitPatientlyAsync(cancellationToken) : next();
}
