using Bellhop.Infrastructure.Http;
using Microsoft.AspNetCore.Authorization;

namespace Bellhop.Infrastructure.Auth;

/// <summary>A route's demand: the caller must have this permission in its project.</summary>
public sealed record RequiredPermission(string Name) : IAuthorizationRequirement;

public static class PermissionRules
{
    /// <summary>Names the permission of a route. The other form is <c>AllowAnonymous()</c>; a route with neither answers 403.</summary>
    public static TBuilder RequirePermission<TBuilder>(this TBuilder builder, string permission)
        where TBuilder : IEndpointConventionBuilder
    {
        var requirement = new RequiredPermission(permission);
        return builder
            .RequireAuthorization(new AuthorizationPolicyBuilder().AddRequirements(requirement).Build())
            .WithMetadata(requirement);
    }

    public static IServiceCollection AddPermissions(this IServiceCollection services)
    {
        services.AddScoped<Caller>();
        services.AddScoped<IAuthorizationHandler, PermissionHandler>();
        services
            .AddAuthorizationBuilder()
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAssertion(_ => false).Build());
        return services;
    }

    /// <summary>The answer to a caller that is known and lacks the permission.</summary>
    public static Problem Refusal(HttpContext http)
    {
        var needed = http.GetEndpoint()?.Metadata.GetMetadata<RequiredPermission>()?.Name;
        return Problems.Forbidden.Because(
            needed is null ? "Nobody may call this route." : $"The key lacks the permission {needed}."
        );
    }

    private sealed class PermissionHandler(Caller caller) : AuthorizationHandler<RequiredPermission>
    {
        protected override Task HandleRequirementAsync(
            AuthorizationHandlerContext context,
            RequiredPermission requirement
        )
        {
            if (caller.May(requirement.Name))
            {
                context.Succeed(requirement);
            }

            return Task.CompletedTask;
        }
    }
}
