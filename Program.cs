using Bellhop.Features.Accounts;
using Bellhop.Features.Accounts.Oidc;
using Bellhop.Features.ApiKeys;
using Bellhop.Features.Audit;
using Bellhop.Features.Automations;
using Bellhop.Features.Connections;
using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Features.Secrets;
using Bellhop.Features.Sources;
using Bellhop.Features.System;
using Bellhop.Features.Webhooks;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Outgoing;
using Bellhop.Infrastructure.Telemetry;
using Carter;

namespace Bellhop;

/// <summary>Puts the parts together. Nothing else knows all of them.</summary>
public sealed class Program
{
    public static Composition Composition { get; } =
        new()
        {
            AddFeatures = AddFeatures,
            BuildService = (settings, opening) => Build(settings, opening),
            Settle = Projects.EnsureAsync,
            FindProject = Projects.FindAsync,
        };

    public static Task<int> Main(string[] args) => CommandLine.RunAsync(args, Composition);

    /// <summary>The service on its storage, not yet started. Tests and benchmarks run it within their own process.</summary>
    public static WebApplication Build(
        Settings settings,
        Task<Storage> opening,
        Action<WebApplicationBuilder>? adjust = null
    )
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "bellhop" });
        builder.AddHost(settings);
        builder.Services.AddSingleton(settings).AddStorage(opening);
        AddFeatures(builder.Services, settings);
        adjust?.Invoke(builder);
        var app = builder.Build();
        app.UsePipeline(settings).MapTelemetry().MapDocumentation().MapCarter();
        return app;
    }

    private static void AddFeatures(IServiceCollection services, Settings settings) =>
        services
            .AddOutgoing(settings.OutgoingAllowNetworks, settings.DatabaseHosts)
            .AddAudit()
            .AddAccounts()
            .AddOidcLogin(settings)
            .AddApiKeys()
            .AddSecrets()
            .AddOutsideConnections()
            .AddEvents()
            .AddSources()
            .AddJobs(executes: settings.HasRole("worker"))
            .AddAutomations()
            .AddWebhooks()
            .AddSystem();
}
