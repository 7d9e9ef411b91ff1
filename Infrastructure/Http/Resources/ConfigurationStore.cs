using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;

namespace Bellhop.Infrastructure.Http.Resources;

/// <summary>A piece of configuration as its author writes it, with POST, PUT and, in part, PATCH.</summary>
public interface INamedDocument<TSelf>
{
    string? Name { get; }

    TSelf Named(string name);
}

/// <summary>Configuration that has tags and an owner, by which conditions of callers leave it to some.</summary>
public interface ITagged
{
    /// <summary>Up to 20 slugs; null: none.</summary>
    IReadOnlyList<string>? Tags { get; }
}

/// <summary>What is stored of a piece of configuration, read under a lock.</summary>
/// <param name="Document">As its author would write it: what a merge patch is applied to. Secrets are not in it.</param>
/// <param name="OwnerId">The user or key that made it.</param>
public sealed record Stored<TDocument, TView>(TView View, TDocument Document, Guid? OwnerId = null);

/// <summary>What a change made.</summary>
/// <param name="IsNew">Whether it was not there before.</param>
public sealed record Saved<TView>(TView View, bool IsNew);

/// <summary>How every kind of configuration is made, replaced, changed and deleted; a kind adds its rules and its SQL.</summary>
/// <remarks>
/// One transaction each: the row is locked, the precondition and the whole document are checked, then it is written. Of two who
/// saw the same state one wins. A name is unique among what is not deleted, and stays as it is.
/// </remarks>
public abstract class ConfigurationStore<TDocument, TView>(UnitOfWork works, Caller caller, AuditTrail audit)
    where TDocument : class, INamedDocument<TDocument>
    where TView : class, IRevised
{
    protected Caller Caller => caller;

    protected Guid ProjectId => caller.ProjectId;

    protected string Actor => caller.Actor;

    protected UnitOfWork Works => works;

    protected AuditTrail Audit => audit;

    /// <summary>Who owns what is made.</summary>
    protected Guid? CallerId => caller.Id;

    /// <summary>Makes one; a name that is taken is a 409.</summary>
    public async Task<Result<TView>> CreateAsync(TDocument document, CancellationToken cancellationToken)
    {
        await using var work = await works.BeginAsync(cancellationToken);
        if ((Outside(document, caller.Id) ?? await CheckAsync(work, document, null, cancellationToken)) is { } problem)
        {
            return problem;
        }

        if (await InsertAsync(work, document, cancellationToken) is not { } made)
        {
            return Taken(document.Name);
        }

        return await CommitAsync(work, null, made, document, cancellationToken);
    }

    /// <summary>Replaces the document; under a name that is not there it makes one.</summary>
    public async Task<Result<Saved<TView>>> PutAsync(
        NameOrId which,
        TDocument document,
        Precondition precondition,
        CancellationToken cancellationToken
    )
    {
        await using var work = await works.BeginAsync(cancellationToken);
        while (true)
        {
            var stored = await LockAsync(work, which, cancellationToken);
            var isHidden = stored is not null && !IsReached(stored);
            if (which.Name is null && (stored is null || isHidden))
            {
                return Missing(which);
            }

            if (isHidden)
            {
                return Taken(which.Name);
            }

            if (precondition.Check(stored?.View) is { } failed)
            {
                return failed;
            }

            if (stored is null && !Slug.IsSound(which.Name))
            {
                return Problems.Invalid.Because(Slug.Form, FieldError.InParameter("id", "invalid_name", Slug.Form));
            }

            var name = stored?.Document.Name ?? which.Name!;
            if (Renames(document, name) is { } renamed)
            {
                return renamed;
            }

            var named = document.Named(name);
            var owner = stored is null ? caller.Id : stored.OwnerId;
            if ((Outside(named, owner) ?? await CheckAsync(work, named, stored, cancellationToken)) is { } problem)
            {
                return problem;
            }

            if (stored is not null)
            {
                var updated = await UpdateAsync(work, stored, named, cancellationToken);
                return new Saved<TView>(
                    await CommitAsync(work, stored, updated, named, cancellationToken),
                    IsNew: false
                );
            }

            if (await InsertAsync(work, named, cancellationToken) is { } made)
            {
                return new Saved<TView>(await CommitAsync(work, null, made, named, cancellationToken), IsNew: true);
            }

            // somebody has just made it: it is looked at as if it had been there from the start
        }
    }

    /// <summary>Changes the members that the patch names.</summary>
    public async Task<Result<TView>> PatchAsync(
        NameOrId which,
        MergePatch<TDocument> patch,
        Precondition precondition,
        CancellationToken cancellationToken
    )
    {
        await using var work = await works.BeginAsync(cancellationToken);
        if (await LockAsync(work, which, cancellationToken) is not { } stored || !IsReached(stored))
        {
            return Missing(which);
        }

        if (precondition.Check(stored.View) is { } failed)
        {
            return failed;
        }

        var patched = patch.ApplyTo(stored.Document);
        if (patched.Problem is { } malformed)
        {
            return malformed;
        }

        var document = patched.Unwrap();
        var problem =
            Renames(document, stored.Document.Name!)
            ?? Outside(document, stored.OwnerId)
            ?? await CheckAsync(work, document.Named(stored.Document.Name!), stored, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var updated = await UpdateAsync(work, stored, document.Named(stored.Document.Name!), cancellationToken);
        return await CommitAsync(work, stored, updated, document, cancellationToken);
    }

    /// <summary>Deletes it; its name is free again.</summary>
    public async Task<Result<TView>> DeleteAsync(
        NameOrId which,
        Precondition precondition,
        CancellationToken cancellationToken
    )
    {
        await using var work = await works.BeginAsync(cancellationToken);
        if (await LockAsync(work, which, cancellationToken) is not { } stored || !IsReached(stored))
        {
            return Missing(which);
        }

        var problem = precondition.Check(stored.View) ?? await RemoveAsync(work, stored, cancellationToken);
        return problem is null
            ? await CommitAsync(work, stored, stored.View, stored.Document, cancellationToken)
            : problem;
    }

    /// <summary>As it stands in sentences: <c>webhook endpoint</c>.</summary>
    protected abstract string Noun { get; }

    /// <summary>Its folder in the API: <c>webhook-endpoints</c>.</summary>
    protected abstract string Collection { get; }

    /// <summary>Reads what is not deleted, locked until the transaction ends.</summary>
    protected abstract Task<Stored<TDocument, TView>?> LockAsync(
        Work work,
        NameOrId which,
        CancellationToken cancellationToken
    );

    /// <summary>Everything that is wrong with the document; null: nothing.</summary>
    /// <param name="stored">What it replaces.</param>
    protected abstract ValueTask<Problem?> CheckAsync(
        Work work,
        TDocument document,
        Stored<TDocument, TView>? stored,
        CancellationToken cancellationToken
    );

    /// <summary>Null: the name is taken.</summary>
    protected abstract Task<TView?> InsertAsync(Work work, TDocument document, CancellationToken cancellationToken);

    protected abstract Task<TView> UpdateAsync(
        Work work,
        Stored<TDocument, TView> stored,
        TDocument document,
        CancellationToken cancellationToken
    );

    /// <summary>Marks it deleted; a problem where it may not be, as when something needs it.</summary>
    protected abstract Task<Problem?> RemoveAsync(
        Work work,
        Stored<TDocument, TView> stored,
        CancellationToken cancellationToken
    );

    /// <summary>What else belongs to the change, in its transaction and after it.</summary>
    /// <returns>The view as it is answered.</returns>
    protected virtual Task<TView> FollowAsync(
        Work work,
        TView view,
        TDocument document,
        CancellationToken cancellationToken
    ) => Task.FromResult(view);

    protected Problem Missing(NameOrId which) => Problems.NotFound.Because($"There is no {Noun} {which}.");

    private Problem Taken(string? name) => Problems.NameTaken.Because($"There is a {Noun} {name} already.");

    /// <summary>Whether the conditions leave it to the caller: else it is as if it were not there.</summary>
    protected bool IsReached(Stored<TDocument, TView> stored) => caller.Reaches(Trace(stored.Document, stored.OwnerId));

    /// <summary>What conditions look at.</summary>
    protected virtual Traced Trace(TDocument document, Guid? ownerId) =>
        document is ITagged tagged ? new Traced(Tags: tagged.Tags ?? [], OwnerId: ownerId ?? Guid.Empty) : default;

    // nobody makes what is not left to him, or puts out of his own reach what is
    private Problem? Outside(TDocument document, Guid? ownerId)
    {
        var trace = Trace(document, ownerId);
        if (caller.Access.Excludes(trace, caller.Id) is not { } only)
        {
            return null;
        }

        var message = $"What proves the caller is narrowed: {only}.";
        return Problems.Forbidden.Because(
            message,
            FieldError.At(trace.Queue is null ? "/tags" : "/name", "out_of_reach", message)
        );
    }

    private async Task<TView> CommitAsync(
        Work work,
        Stored<TDocument, TView>? before,
        TView view,
        TDocument document,
        CancellationToken cancellationToken
    )
    {
        var answer = await FollowAsync(work, view, document, cancellationToken);
        // read back: the document at hand may hold secrets, what is stored as its author would write it never does
        var after = await LockAsync(work, NameOrId.Parse($"{view.Id}"), cancellationToken);
        var verb =
            before is null ? "create"
            : after is null ? "delete"
            : "update";
        await audit.RecordAsync(
            work.Connection,
            new AuditRecord(
                $"{Collection}.{verb}",
                $"{Collection}/{document.Name ?? before!.Document.Name}",
                view.Id,
                before?.Document,
                after?.Document
            ),
            cancellationToken
        );
        await work.CommitAsync(cancellationToken);
        return answer;
    }

    private Problem? Renames(TDocument document, string name)
    {
        if (document.Name is null || document.Name == name)
        {
            return null;
        }

        var message = $"This {Noun} is named {name}, and a name stays: leave it out, or make another {Noun}.";
        return Problems.Invalid.Because(message, FieldError.At("/name", "name_differs", message));
    }
}

public static class SavedAnswers
{
    /// <summary>Answers a PUT: 201 with <c>Location</c> where it made something, else 200.</summary>
    public static IResult ToSaved<TView>(this Result<Saved<TView>> result, string collection)
        where TView : IRevised =>
        result.ToHttp(saved => new ResourceAnswer<TView>(
            saved.View,
            saved.IsNew ? StatusCodes.Status201Created : StatusCodes.Status200OK,
            saved.IsNew ? $"{collection}/{saved.View.Id}" : null
        ));
}
