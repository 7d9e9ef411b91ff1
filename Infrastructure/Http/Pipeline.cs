using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http.Idempotency;
using Microsoft.AspNetCore.HttpOverrides;

namespace Bellhop.Infrastructure.Http;

/// <summary>What every request passes on its way to a route, and every answer on its way back.</summary>
public static class Pipeline
{
    public static IServiceCollection AddPipeline(this IServiceCollection services, Settings settings)
    {
        services.AddRouting();
        services.AddScoped<KeptAnswers>();
        services.AddExceptionHandler<ExceptionProblems>();
        services.ConfigureHttpJsonOptions(options => JsonRules.Configure(options.SerializerOptions));
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.AddHostFiltering(options =>
        {
            options.AllowedHosts = [.. settings.AllowedHosts];
            options.IncludeFailureMessage = false;
        });
        services.Configure<ForwardedHeadersOptions>(options =>
        {
            options.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto;
            options.ForwardLimit = null; // as far as trusted proxies vouch for each other
            options.KnownProxies.Clear();
            options.KnownIPNetworks.Clear();
            foreach (var network in settings.TrustedProxies)
            {
                options.KnownIPNetworks.Add(network);
            }
        });
        return services;
    }

    public static WebApplication UsePipeline(this WebApplication app, Settings settings)
    {
        app.Use(RequestIds.UseAsync);
        if (settings.TrustedProxies.Count > 0)
        {
            app.UseForwardedHeaders();
        }

        app.UseMiddleware<RequestLog>();
        app.UseExceptionHandler(_ => { });
        app.UseStatusCodePages(StatusProblems.WriteAsync);
        if (settings.AllowedHosts.Count > 0)
        {
            // probes and Prometheus ask by address
            app.UseWhen(
                http => !Listeners.IsInternal(http) && !http.Request.Path.StartsWithSegments("/health"),
                branch => branch.UseHostFiltering()
            );
        }

        app.UseRouting();
        app.Use(Doors.UseAsync);
        app.UseAuthentication();
        app.UseAuthorization();
        app.Use(PreferWait.UseAsync);
        app.Use(IdempotentRequests.UseAsync);
        return app;
    }
}
