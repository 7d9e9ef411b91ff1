using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using MediatR;
using Microsoft.Extensions.DependencyInjection;

namespace Bellhop.Tests.Support;

/// <summary>Requests to a service of the test's own, through the real pipeline.</summary>
public static class OwnCalls
{
    public static async Task<T> SendAsync<T>(this OwnService own, IRequest<Result<T>> request)
    {
        await using var scope = own.Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<Caller>().Become(Identity.Internal(own.ProjectId, "test"));
        return (await scope.ServiceProvider.GetRequiredService<IMediator>().Send(request)).Unwrap();
    }
}
