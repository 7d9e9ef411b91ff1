using System.Reflection;
using Bellhop.Features.Accounts;
using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Workers;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Tests.Support;
using FluentValidation;
using MediatR;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Architecture;

/// <summary>What a slice looks like. The order of its parts, and nothing beside them.</summary>
public sealed class SliceRules(ServiceFixture service)
{
    private static readonly string[] Triggers = ["Endpoint", "Beat", "Consumer", "Verb"];

    private static readonly string[] Order =
    [
        "Endpoint",
        "Beat",
        "Consumer",
        "Verb",
        "Command",
        "Query",
        "Response",
        "Report",
        "Validator",
        "Handler",
        "Sql",
    ];

    private static readonly Assembly Service = typeof(Program).Assembly;

    private static readonly Type[] Slices =
    [
        .. Service
            .GetTypes()
            .Where(type =>
                !type.IsNested
                && type.GetNestedType("Handler", BindingFlags.Public | BindingFlags.NonPublic) is not null
            ),
    ];

    private static readonly Type[] Parts =
    [
        typeof(DirectedWorkers),
        typeof(EnqueuedJobs),
        typeof(JobActions),
        typeof(JobSelection),
        typeof(SavedProjects),
        .. Service
            .GetTypes()
            .Where(type =>
                type.BaseType is { IsGenericType: true } of
                && of.GetGenericTypeDefinition() == typeof(ConfigurationStore<,>)
            ),
    ];

    public static TheoryData<string> SliceNames => [.. Slices.Select(slice => slice.FullName!)];

    [Fact]
    public void There_are_slices() => Assert.True(Slices.Length >= 20, $"{Slices.Length} slices");

    [Fact]
    public void Every_handler_is_in_a_slice_of_a_feature()
    {
        var handlers = Service.GetTypes().Where(IsHandler).ToArray();

        Assert.NotEmpty(handlers);
        Assert.All(
            handlers,
            handler =>
            {
                Assert.Equal("Handler", handler.Name);
                Assert.StartsWith("Bellhop.Features.", handler.DeclaringType?.Namespace, StringComparison.Ordinal);
            }
        );
    }

    [Theory]
    [MemberData(nameof(SliceNames))]
    public void A_slice_holds_only_what_a_slice_holds(string name)
    {
        var nested = Written(Service.GetType(name, throwOnError: true)!);

        Assert.Empty(nested.Except(Order));
    }

    [Theory]
    [MemberData(nameof(SliceNames))]
    public void A_slice_has_a_trigger(string name) =>
        Assert.NotEmpty(Written(Service.GetType(name, throwOnError: true)!).Intersect(Triggers));

    [Theory]
    [MemberData(nameof(SliceNames))]
    public void A_slice_has_a_test_class_of_its_name(string name)
    {
        var wanted = name.Replace("Bellhop.", "Bellhop.Tests.", StringComparison.Ordinal) + "Tests";

        Assert.NotNull(typeof(SliceRules).Assembly.GetType(wanted));
    }

    [Fact]
    public void A_route_is_named_after_its_slice()
    {
        var names = service
            .Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.Select(endpoint => endpoint.Metadata.GetMetadata<IEndpointNameMetadata>()?.EndpointName)
            .OfType<string>()
            .ToArray();

        Assert.NotEmpty(names);
        Assert.Empty(names.Except(Slices.Select(slice => slice.Name)));
    }

    [Fact]
    public void What_may_carry_an_idempotency_key_commits_with_it()
    {
        var keyed = service
            .Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.Where(endpoint =>
                endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods is [var method]
                && IdempotentRequests.Takes(endpoint, method)
            )
            .Select(endpoint => endpoint.Metadata.GetMetadata<IEndpointNameMetadata>()!.EndpointName)
            .ToArray();

        Assert.Contains("EnqueueJob", keyed);
        Assert.All(
            keyed,
            name =>
            {
                var handler = Slices
                    .Single(slice => slice.Name == name)
                    .GetNestedType("Handler", BindingFlags.NonPublic)!;
                var needs = Needs(handler).ToHashSet();
                Assert.Contains(typeof(UnitOfWork), needs);
                Assert.DoesNotContain(typeof(NpgsqlDataSource), needs);
            }
        );

        // what it is given, and what the parts among that are given which live for one request as it does
        IEnumerable<Type> Needs(Type type) =>
            type.GetConstructors()
                .SelectMany(constructor => constructor.GetParameters())
                .Select(parameter => parameter.ParameterType)
                .SelectMany(needed => Parts.Contains(needed) ? Needs(needed).Append(needed) : [needed]);
    }

    [Fact]
    public void A_validator_checks_the_request_of_its_own_slice()
    {
        var validators = Service
            .GetTypes()
            .Where(type => typeof(IValidator).IsAssignableFrom(type) && !type.IsAbstract)
            .ToArray();

        Assert.NotEmpty(validators);
        Assert.All(
            validators,
            validator =>
            {
                var subject = validator.BaseType!.GetGenericArguments()[0];
                Assert.Equal(validator.DeclaringType, subject.DeclaringType);
            }
        );
    }

    [Fact]
    public void No_type_is_named_after_nothing()
    {
        string[] empty =
        [
            "Manager",
            "Helper",
            "Helpers",
            "Util",
            "Utils",
            "Service",
            "Services",
            "Base",
            "Common",
            "Shared",
            "Core",
            "Models",
            "Extensions",
        ];
        var types = Service
            .GetTypes()
            .Where(type => type.Namespace?.StartsWith("Bellhop", StringComparison.Ordinal) == true)
            .ToArray();

        Assert.NotEmpty(types);
        Assert.DoesNotContain(types, type => empty.Any(word => type.Name.EndsWith(word, StringComparison.Ordinal)));
        Assert.DoesNotContain(types, type => type.Namespace!.Split('.').Any(part => empty.Contains(part)));
    }

    private static bool IsHandler(Type type) =>
        type is { IsAbstract: false, IsInterface: false }
        && type.GetInterfaces()
            .Any(of => of.IsGenericType && of.GetGenericTypeDefinition() == typeof(IRequestHandler<,>));

    private static string[] Written(Type slice) =>
        [
            .. slice
                .GetNestedTypes(BindingFlags.Public | BindingFlags.NonPublic)
                .Select(type => type.Name)
                .Where(name => !name.StartsWith('<')),
        ];
}
