using Bellhop.Infrastructure.Background;
using FluentValidation;
using MediatR;

namespace Bellhop.Infrastructure.Mediation;

/// <summary>Finds what slices are made of, so that a new slice needs no line elsewhere.</summary>
public static class Registration
{
    /// <summary>Handlers and validators: what every process needs, also the command line.</summary>
    public static IServiceCollection AddMediation(this IServiceCollection services)
    {
        ValidationProblem.UseApiSpelling();
        services.AddScoped<ServiceFactory>(provider => provider.GetService!);
        services.AddScoped<IMediator, Mediator>();
        services.AddTransient(typeof(IPipelineBehavior<,>), typeof(ValidationBehavior<,>));
        services.AddTransient(typeof(IPipelineBehavior<,>), typeof(QueryPatience<,>));
        services.AddValidatorsFromAssemblyContaining<Program>(ServiceLifetime.Singleton, includeInternalTypes: true);
        services.Scan(scan =>
            scan.FromAssemblyOf<Program>()
                .AddClasses(classes => classes.AssignableTo(typeof(IRequestHandler<,>)), publicOnly: false)
                .AsImplementedInterfaces()
                .WithTransientLifetime()
        );
        return services;
    }

    /// <summary>The beats: only in a process that runs duties.</summary>
    public static IServiceCollection AddBeats(this IServiceCollection services) =>
        services.Scan(scan =>
            scan.FromAssemblyOf<Program>()
                .AddClasses(classes => classes.AssignableTo<IBeat>(), publicOnly: false)
                .As<IHostedService>()
                .WithSingletonLifetime()
        );
}
