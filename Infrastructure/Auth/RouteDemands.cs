using Bellhop.Infrastructure.Http;
using Microsoft.AspNetCore.Authorization;

namespace Bellhop.Infrastructure.Auth;

/// <summary>A route's demand: the caller must have this permission in its project.</summary>
public sealed record RequiredPermission(string Name) : IAuthorizationRequirement;

/// <summary>A route's demand: a user, whatever may be done in which project; or, where keys do as well, anybody who is proven.</summary>
public sealed record RequiredCaller(bool UserOnly) : IAuthorizationRequirement
{
    public override string ToString() => UserOnly ? "user" : "caller";
}

public static class RouteDemands
{
    /// <summary>Names the permission of a route. A route that demands nothing and is not <c>AllowAnonymous()</c> answers 403.</summary>
    public static TBuilder RequirePermission<TBuilder>(this TBuilder builder, string permission)
        where TBuilder : IEndpointConventionBuilder => builder.Demand(new RequiredPermission(permission));

    /// <summary>The route is about the user who calls, and acts in no project.</summary>
    public static TBuilder RequireUser<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.Demand(new RequiredCaller(UserOnly: true));

    /// <summary>The route is about whoever calls, user or key.</summary>
    public static TBuilder RequireCaller<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.Demand(new RequiredCaller(UserOnly: false));

    /// <summary>Whether anybody in particular must call: then the route is not for everyone.</summary>
    public static bool IsGuarded(this EndpointMetadataCollection metadata) =>
        metadata.GetMetadata<RequiredPermission>() is not null || metadata.GetMetadata<RequiredCaller>() is not null;

    public static IServiceCollection AddPermissions(this IServiceCollection services)
    {
        services.AddScoped<Caller>();
        services.AddScoped<AuditTrail>();
        services.AddScoped<CallerScheme>();
        services.AddScoped<IAuthorizationHandler, PermissionHandler>();
        services.AddScoped<IAuthorizationHandler, CallerHandler>();
        services.AddAuthenticationCore(options =>
        {
            options.DefaultScheme = CallerScheme.Name;
            options.AddScheme<CallerScheme>(CallerScheme.Name, displayName: null);
        });
        services
            .AddAuthorizationBuilder()
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAssertion(_ => false).Build());
        return services;
    }

    /// <summary>The answer to a caller that is known and may not use the route.</summary>
    public static Problem Refusal(HttpContext http, bool isInArchive)
    {
        var metadata = http.GetEndpoint()?.Metadata;
        if (
            isInArchive
            && metadata?.GetMetadata<RequiredPermission>() is { Name: var taken }
            && !Roles.IsLeftInArchive(taken)
        )
        {
            return Problems.ProjectArchived.Because(
                "The project is archived: it is read, and changed no more until an owner restores it."
            );
        }

        return Problems.Forbidden.Because(
            metadata?.GetMetadata<RequiredPermission>() is { Name: var needed }
                ? $"The caller lacks the permission {needed}."
            : metadata?.GetMetadata<RequiredCaller>() is not null ? "This is for users, who sign in; a key is none."
            : "Nobody may call this route."
        );
    }

    private static TBuilder Demand<TBuilder>(this TBuilder builder, IAuthorizationRequirement requirement)
        where TBuilder : IEndpointConventionBuilder =>
        builder
            .RequireAuthorization(new AuthorizationPolicyBuilder().AddRequirements(requirement).Build())
            .WithMetadata(requirement);

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

    private sealed class CallerHandler(Caller caller) : AuthorizationHandler<RequiredCaller>
    {
        protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, RequiredCaller requirement)
        {
            if (caller.IsKnown && !caller.IsBarred && (caller.UserId is not null || !requirement.UserOnly))
            {
                context.Succeed(requirement);
            }

            return Task.CompletedTask;
        }
    }
}
