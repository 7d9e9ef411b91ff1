using System.Collections.Frozen;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Net.Http.Headers;

namespace Bellhop.Infrastructure.Http;

/// <summary>Query parameters of a route that is no list, or that a list has beside its filters.</summary>
public sealed record QueryParameters(params string[] Names);

/// <summary>The route is called by programs that nobody here has a say over: their Accept and their query are not looked at.</summary>
public sealed record ForeignCallers
{
    public static readonly ForeignCallers Mark = new();
}

/// <summary>What the route answers may be kept by anybody for so long; everything else is <c>no-store</c>.</summary>
public sealed record PublicCache(int Seconds);

public static class RouteDeclarations
{
    /// <summary>Declares query parameters; one that no metadata of its route declares is refused.</summary>
    public static TBuilder WithQuery<TBuilder>(this TBuilder builder, params string[] names)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new QueryParameters(names));

    /// <summary>Senders of webhooks add parameters of their own, and accept what they like.</summary>
    public static TBuilder CalledByForeignPrograms<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(ForeignCallers.Mark);

    public static TBuilder CachedFor<TBuilder>(this TBuilder builder, int seconds)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new PublicCache(seconds));
}

/// <summary>What the metadata of a route says about requests to it, read once a route.</summary>
internal sealed class RouteRules
{
    private static readonly ConditionalWeakTable<Endpoint, RouteRules> Known = [];

    private RouteRules(Endpoint endpoint)
    {
        IsForeign = endpoint.Metadata.GetMetadata<ForeignCallers>() is not null;
        Deprecation = endpoint.Metadata.GetMetadata<Deprecation>();
        CacheSeconds = endpoint.Metadata.GetMetadata<PublicCache>()?.Seconds;
        var filters = endpoint.Metadata.GetOrderedMetadata<ListFilters>();
        Parameters = filters
            .SelectMany(filter => filter.Names.Concat(["limit", "cursor"]))
            .Concat(endpoint.Metadata.GetOrderedMetadata<QueryParameters>().SelectMany(declared => declared.Names))
            .ToFrozenSet(StringComparer.Ordinal);
        Flags = endpoint
            .Metadata.GetOrderedMetadata<IParameterBindingMetadata>()
            .Where(parameter => parameter.ParameterInfo.ParameterType == typeof(bool))
            .Select(parameter => parameter.Name)
            .ToFrozenSet(StringComparer.Ordinal);
        Numbers = endpoint
            .Metadata.GetOrderedMetadata<IParameterBindingMetadata>()
            .Select(parameter => (parameter.Name, Range: parameter.ParameterInfo.GetCustomAttribute<RangeAttribute>()))
            .Where(parameter => parameter.Range is not null)
            .ToFrozenDictionary(
                parameter => parameter.Name,
                parameter => ((int)parameter.Range!.Minimum, (int)parameter.Range.Maximum),
                StringComparer.Ordinal
            );
        Reads = (endpoint.Metadata.GetMetadata<IAcceptsMetadata>()?.ContentTypes ?? []).ToHashSet(
            StringComparer.OrdinalIgnoreCase
        );
        Answers =
        [
            .. endpoint
                .Metadata.GetOrderedMetadata<IProducesResponseTypeMetadata>()
                .Where(answer => answer.StatusCode is >= 200 and < 300)
                .SelectMany(answer => answer.ContentTypes)
                .Distinct(StringComparer.OrdinalIgnoreCase)
                .Select(type => MediaTypeHeaderValue.Parse($"{type}; charset=utf-8")),
        ];
    }

    public bool IsForeign { get; }

    public Deprecation? Deprecation { get; }

    public int? CacheSeconds { get; }

    /// <summary>The query parameters there are.</summary>
    public FrozenSet<string> Parameters { get; }

    /// <summary>Those of them that are true or false.</summary>
    public FrozenSet<string> Flags { get; }

    /// <summary>Those of them that are whole numbers, each with the least and the greatest it may be.</summary>
    public FrozenDictionary<string, (int Min, int Max)> Numbers { get; }

    /// <summary>The media types of a body, in the order they were declared; empty where none is read.</summary>
    public IReadOnlySet<string> Reads { get; }

    /// <summary>The media types of success; empty where there is no body, or nothing is said.</summary>
    public IReadOnlyList<MediaTypeHeaderValue> Answers { get; }

    public static RouteRules Of(Endpoint endpoint) => Known.GetValue(endpoint, of => new RouteRules(of));
}
