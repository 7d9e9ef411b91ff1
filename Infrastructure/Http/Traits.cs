using System.Text.Json.Nodes;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.Resources;
using FluentValidation;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc.ApiExplorer;

namespace Bellhop.Infrastructure.Http;

/// <summary>What of the machinery a route passes through, read from its metadata: the document is made from it.</summary>
public sealed class Traits(ApiDescription description, IServiceProvider services)
{
    private readonly EndpointMetadataCollection _metadata = new(description.ActionDescriptor.EndpointMetadata);

    public bool IsAnonymous => Find<IAllowAnonymous>() is not null;

    public string? Permission => Find<RequiredPermission>()?.Name;

    /// <summary>An API key may call it; else only users.</summary>
    public bool TakesKeys => Find<RequiredCaller>() is not { UserOnly: true };

    public bool IsList => Find<ListFilters>() is not null;

    /// <summary>It shows one resource, with an entity tag.</summary>
    public bool ShowsResource => IsGet && !IsAnonymous && !IsList && !IsStream && (Permission is not null || HasPlace);

    /// <summary>It answers server-sent events, and goes on behind the last one that was seen.</summary>
    public bool IsStream =>
        All<IProducesResponseTypeMetadata>().Any(answer => answer.ContentTypes.Contains(EventStream.ContentType));

    /// <summary>It waits for the outcome when it is asked to.</summary>
    public bool Waits => Find<Awaited>() is not null;

    /// <summary>It changes one resource, under a precondition.</summary>
    public bool ChangesResource => Find<ConditionalWrite>() is not null;

    public bool TakesIdempotencyKey =>
        IdempotentRequests.Takes(new Endpoint(null, _metadata, null), description.HttpMethod ?? "");

    public IAcceptsMetadata? Body => Find<IAcceptsMetadata>();

    public bool TakesBody => Body is not null || Find<RawBody>() is not null;

    /// <summary>Its callers are programs that nobody here has a say over: they may ask for what they like.</summary>
    public bool IsForeign => Find<ForeignCallers>() is not null;

    public bool AnswersBody => All<IProducesResponseTypeMetadata>().Any(answer => answer.ContentTypes.Any());

    /// <summary>An example of what it shows; null where it shows nothing, or many.</summary>
    public JsonObject? Shown =>
        All<IProducesResponseTypeMetadata>()
            .Select(answer => answer.Type is { } type ? Examples.Of(type) as JsonObject : null)
            .FirstOrDefault(example => example is not null);

    /// <summary>A validator looks at its body.</summary>
    public bool ChecksBody =>
        Body?.RequestType is { } type && services.GetService(typeof(IValidator<>).MakeGenericType(type)) is not null;

    public bool HasPlace => description.RelativePath!.Contains('{', StringComparison.Ordinal);

    public bool IsGet => description.HttpMethod == HttpMethods.Get;

    public T? Find<T>()
        where T : class => _metadata.GetMetadata<T>();

    public IEnumerable<T> All<T>()
        where T : class => _metadata.GetOrderedMetadata<T>();
}
