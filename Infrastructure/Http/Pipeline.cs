using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
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
        services.AddCors();
        services.AddSingleton<RateLimiters>();
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
        if (settings.AllowedHosts.Count > 0 && !settings.AllowedHosts.Contains("*"))
        {
            HostNames.Use(app, settings);
        }

        app.Use(RequestText.UseAsync);
        if (settings.CorsOrigins.Count > 0)
        {
            app.UseWhen(http => !Listeners.IsInternal(http), api => CrossOrigin.Use(api, settings));
        }

        app.Use(HeadRequests.UseAsync);
        app.UseRouting();
        app.Use(RateLimiting.UseForAddressesAsync);
        app.Use(Doors.UseAsync);
        app.Use(Conventions.UseAsync);
        app.UseAuthentication();
        app.Use(RateLimiting.UseForCallersAsync);
        app.UseAuthorization();
        app.Use(PreferWait.UseAsync);
        app.Use(IdempotentRequests.UseAsync);
        return app;
    }
}
