using Bellhop.Infrastructure.Http;
using FluentValidation;
using MediatR;

namespace Bellhop.Infrastructure.Mediation;

/// <summary>Runs the slice's validator before its handler, whoever sent the request: HTTP, clock, job or command line.</summary>
public sealed class ValidationBehavior<TRequest, TResponse>(IValidator<TRequest>? validator = null)
    : IPipelineBehavior<TRequest, TResponse>
    where TRequest : IRequest<TResponse>
    where TResponse : IFailable<TResponse>
{
    public async Task<TResponse> Handle(
        TRequest request,
        CancellationToken cancellationToken,
        RequestHandlerDelegate<TResponse> next
    )
    {
        if (validator is null)
        {
            return await next();
        }

        var result = await validator.ValidateAsync(request, cancellationToken);
        return result.IsValid ? await next() : TResponse.From(ValidationProblem.From(result));
    }
}
